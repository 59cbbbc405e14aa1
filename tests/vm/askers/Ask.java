// SPDX-License-Identifier: MIT
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Each line of input is a request, each draw a line of the answer. */
public class Ask {
	public static void main(String[] args) throws Exception {
		BufferedReader requests = new BufferedReader(new InputStreamReader(System.in));
		SplittableRandom splittable = new SplittableRandom();
		SecureRandom sha1 = SecureRandom.getInstance("SHA1PRNG");
		ArrayDeque<UUID> pool = new ArrayDeque<>();

		for (int i = 0; i < 16; i++)
			pool.add(UUID.randomUUID());
		while (requests.readLine() != null) {
			System.out.printf("ThreadLocalRandom %016x%n", ThreadLocalRandom.current().nextLong());
			System.out.printf("SplittableRandom %016x%n", splittable.nextLong());
			System.out.printf("SHA1PRNG %016x%n", sha1.nextLong());
			System.out.printf("a pool of UUIDs %s%n", pool.remove());
		}
	}
}
