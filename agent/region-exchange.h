// One enrolment exchange: commitment, nonce, code, and what the region's answers mean (DESIGN 5). The part of the
// region client that needs no network: what to send next, and what an answer changes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/region-client.h"

/* The next request: POST a new exchange, PUT the nonce, PUT durable, or GET (long poll). *ret_body may be NULL; it can
 * hold the token, so the caller wipes and frees it. *ret_method is a literal. */
int region_exchange_next(struct region_client *client, unsigned wait_sec, char **ret_method, char **ret_path,
	char **ret_body);
// Take an answer. -EBADMSG and others with the reason.
int region_exchange_answer(struct region_client *client, const char *json, size_t n, struct diag *reterr);
// The region said no (HTTP status >= 300).
void region_exchange_refused(struct region_client *client, int status, const char *code, const char *problem);
/* After every hello: an exchange and a person's confirmation hold only for the CA they were made with, so another one
 * (there may be no pin) starts a new exchange with a new code. */
void region_exchange_check_ca(struct region_client *client);
// The exchange of a hearthd that was killed in this boot, from client->exchange_path; none is fine.
void region_exchange_load(struct region_client *client);
