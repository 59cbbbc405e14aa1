/* SPDX-License-Identifier: MIT */
#ifndef PREPARE_H
#define PREPARE_H

#include "doctor.h"

/*
 * What will be equal in the clones of this machine: each of these prints findings.
 * PROBLEM: equal, and nothing in this machine will change that. UNSEEN: could not be
 * looked at. NOTE: equal, and harms only in some places.
 */

/* prepare-network.c */
void examine_connections(struct doctor *d);
void examine_sessions(struct doctor *d);
void examine_dhcp(struct doctor *d);

/* prepare-identity.c */
void examine_host_keys(struct doctor *d);
void examine_machine_id(struct doctor *d);
void examine_cloud_init(struct doctor *d);
void examine_file_systems(struct doctor *d);
void examine_swap(struct doctor *d);

/* prepare.c: whether somebody in a clone learns that it is one, and who adjusts it. */
void examine_notice(struct doctor *d);
void examine_overseer(struct doctor *d);

#endif /* PREPARE_H */
