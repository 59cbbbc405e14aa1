// SPDX-License-Identifier: MIT
/*
 * setter OPERATION: calls SYSGENID_GATE with that number, for the current generation,
 * and keeps the device open until somebody kills it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <sysgenid/abi.h>

int main(int argc, char **argv)
{
	struct sysgenid_gate_args gate = { .size = sizeof(gate) };
	int fd = open(SYSGENID_DEVICE, O_RDONLY);

	if (argc != 2 || fd < 0 || ioctl(fd, SYSGENID_GATE, &gate)) {
		perror("setter");
		return 1;
	}
	gate = (struct sysgenid_gate_args){
		.size = sizeof(gate),
		.operation = (uint32_t)atoi(argv[1]),
		.generation = gate.generation,
	};
	if (gate.operation != SYSGENID_GATE_OPEN)
		gate.generation = 0;
	if (ioctl(fd, SYSGENID_GATE, &gate)) {
		perror("SYSGENID_GATE");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
