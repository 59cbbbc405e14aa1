// SPDX-License-Identifier: MIT
package sysgenid;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

/**
 * Tells that this virtual machine has resumed as a clone of itself.
 *
 * <p>Java 17 cannot map a device. So this reads an attribute of sysfs: the kernel compares the hardware id at each read.
 * A generation is unsigned; compare it with != only. Threads may share an object.
 */
public final class Sysgenid implements AutoCloseable {
    private static final Path ATTRIBUTE = Path.of("/sys/class/misc/sysgenid/generation");
    private static final long INTERVAL_MS = 100;

    private final FileChannel file;

    /** Opens the attribute. NoSuchFileException where the module is not loaded. */
    public Sysgenid() throws IOException {
        this(ATTRIBUTE);
    }

    /** Opens another file, for a test. */
    public Sysgenid(Path path) throws IOException {
        file = FileChannel.open(path);
        try {
            read();
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** The current generation: right from the first instruction after a resume. One system call. */
    public int read() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(16);
        int length = file.read(bytes, 0);
        String text = new String(bytes.array(), 0, Math.max(length, 0), StandardCharsets.ISO_8859_1);
        if (!text.matches("[0-9]{1,10}\n")) {
            throw new IOException("sysgenid: \"" + text.strip() + "\" is no generation");
        }
        try {
            return Integer.parseUnsignedInt(text.strip());
        } catch (NumberFormatException e) {
            throw new IOException("sysgenid: \"" + text.strip() + "\" is no generation", e);
        }
    }

    /** Whether the generation differs from seen. One system call. */
    public boolean changed(int seen) throws IOException {
        return read() != seen;
    }

    /**
     * Sleeps until the generation differs from seen, and returns it; null is no timeout. Looks every 100 ms.
     */
    public int await(int seen, Duration timeout) throws IOException, InterruptedException, TimeoutException {
        long end = timeout == null ? 0 : System.nanoTime() + timeout.toNanos();
        for (;;) {
            int now = read();
            if (now != seen) {
                return now;
            }
            long left = timeout == null ? INTERVAL_MS : (end - System.nanoTime() + 999_999) / 1_000_000;
            if (left <= 0) {
                throw new TimeoutException("sysgenid: no new generation");
            }
            Thread.sleep(Math.min(left, INTERVAL_MS));
        }
    }

    /** Ends the object. */
    @Override
    public void close() throws IOException {
        file.close();
    }
}
