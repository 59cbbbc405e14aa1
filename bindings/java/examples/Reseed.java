// SPDX-License-Identifier: MIT

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import sysgenid.Sysgenid;

/**
 * Answers each line of input with an id that no clone of this machine draws. The argument, if any, is a file in place of the
 * attribute.
 */
public final class Reseed {
    private final Sysgenid sysgenid;
    private int seen;
    private SplittableRandom generator;

    private Reseed(Sysgenid sysgenid) throws IOException {
        this.sysgenid = sysgenid;
        renew();
    }

    private void renew() throws IOException {
        seen = sysgenid.read();
        // After the read: a resume between the two is then seen.
        try (var urandom = Files.newInputStream(Path.of("/dev/urandom"))) {
            generator = new SplittableRandom(ByteBuffer.wrap(urandom.readNBytes(8)).getLong());
        }
    }

    private long draw() throws IOException {
        for (;;) {
            long id = generator.nextLong();
            if (!sysgenid.changed(seen)) {
                return id;
            }
            renew();
        }
    }

    public static void main(String[] arguments) throws IOException {
        try (var sysgenid = arguments.length > 0 ? new Sysgenid(Path.of(arguments[0])) : new Sysgenid();
                var lines = new BufferedReader(new InputStreamReader(System.in))) {
            var ids = new Reseed(sysgenid);
            while (lines.readLine() != null) {
                System.out.printf("%016x%n", ids.draw());
            }
        }
    }
}
