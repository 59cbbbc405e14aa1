/* SPDX-License-Identifier: MIT */
#ifndef RENEW_H
#define RENEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Before a program of an image runs. A new generation, above @saved; or a reseed of
 * the kernel's random generator alone, of which nobody but the vDSO learns.
 * Return: 0; or an error that @why describes.
 */
int renew_generation(uint32_t saved, uint32_t *generation, char *why,
		     size_t size);
int renew_generator(char *why, size_t size);

#endif /* RENEW_H */
