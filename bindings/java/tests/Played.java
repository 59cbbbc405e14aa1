// SPDX-License-Identifier: MIT

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import sysgenid.Sysgenid;

/** The attribute is played by a file. */
public final class Played {
    private interface Call {
        void run() throws Exception;
    }

    private static void check(String what, boolean right) {
        if (!right) {
            throw new AssertionError(what);
        }
    }

    private static void fails(String what, Class<? extends Exception> with, Call call) throws Exception {
        try {
            call.run();
        } catch (Exception e) {
            check(what + ": " + e, with.isInstance(e));
            return;
        }
        throw new AssertionError(what);
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Files.createTempFile("sysgenid-java-", "");
        try {
            Files.writeString(file, "5\n");
            var sysgenid = new Sysgenid(file);
            check("generation", sysgenid.read() == 5);
            check("unchanged before a resume", !sysgenid.changed(5));
            Files.writeString(file, "4294967295\n");
            check("changed after a resume", sysgenid.changed(5));
            check("unsigned", sysgenid.read() == -1);

            long start = System.nanoTime();
            fails("timeout", TimeoutException.class, () -> sysgenid.await(-1, Duration.ofMillis(150)));
            check("timeout is not early", System.nanoTime() - start >= 150_000_000);
            var other = new Thread(() -> {
                try {
                    Thread.sleep(150);
                    Files.writeString(file, "0\n");
                } catch (IOException | InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            other.start();
            check("await returns at a resume", sysgenid.await(-1, null) == 0);
            other.join();

            for (String text : new String[] {"\n", "5", "-1\n", "5\n6\n", "x\n", "4294967296\n", ""}) {
                Files.writeString(file, text);
                fails("no generation: " + text, IOException.class, sysgenid::read);
                fails("no generation: " + text, IOException.class, () -> new Sysgenid(file));
            }
            sysgenid.close();
            fails("closed", ClosedChannelException.class, sysgenid::read);
            fails("no module", NoSuchFileException.class, () -> new Sysgenid(Path.of("/nonexistent/generation")));
        } finally {
            Files.delete(file);
        }
    }
}
