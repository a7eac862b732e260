// The node's side of the region's API (docs/region-api.yaml), asynchronous and level-triggered: it looks at what it has
// (hello, certificate, assignment ...) and starts whatever is missing, each with its own backoff. What the answers mean
// for the machine is the owner's business (struct region_events).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/hello.h"
#include "agent/identity.h"
#include "base/contact.h"
#include "base/http.h"
#include "base/seed.h"

enum region_op {
	REGION_OP_HELLO,
	REGION_OP_ENROL,      // POST, PUT, GET of one exchange
	REGION_OP_RENEW,
	REGION_OP_ASSIGNMENT, // long poll
	REGION_OP_MESH,       // long poll
	REGION_OP_SECRETS,
	REGION_OP_STATUS,
	REGION_OP_CLUSTER,
	N_REGION_OPS,
};

struct region_events {
	/* The region's time; the owner may step the clock here: nothing else was sent yet. Negative: not acceptable, ask
	 * again later and send nothing. */
	int (*on_hello)(int64_t region_msec, void *user);
	/* This region admitted us: keep it. Comes before the certificate is stored, so that no power cut leaves a certificate
	 * without the pins and signing keys that belong to it. Negative, with a diag: it cannot be kept; the certificate is
	 * left and asked for again. */
	int (*on_admitted)(struct diag *reterr, void *user);
	void (*on_certificate)(void *user);
	// Accept (0) or refuse (negative, with a diag) an answer; a refused assignment is asked for again only when it changes.
	int (*on_assignment)(const char *json, size_t n, struct diag *reterr, void *user);
	int (*on_mesh)(const char *json, size_t n, struct diag *reterr, void *user);
	int (*on_secrets)(const char *json, size_t n, struct diag *reterr, void *user);
	char *(*facts_json)(void *user); // FACTS of the API as JSON; freed by the caller
	void (*on_change)(void *user);   // something of the readable part below is new
	void *user;
};

struct region_client;
struct region_op_state {
	struct region_client *client;
	enum region_op op;
	struct http_call *call;
	size_t url;             // of that call
	sd_event_source *timer; // not NULL and enabled: backing off
	unsigned n_failures;
	bool waiting;
	char *problem;          // why the last try failed, NULL: it did not
};

struct region_client {
	// Readable by the owner.
	enum region_contact contact;
	char *error;             // why contact is not REGION_FOUND
	size_t error_url;        // which of the URLs that was
	bool has_hello;
	struct hello hello;
	enum enrol_state enrol;
	char code[CODE_TEXT];    // "" when there is none
	char *enrol_sentence, *token_sentence, *name;
	bool has_secrets, cluster_accepted;
	bool assignment_answered; // in this start: new or as it was
	bool assignment_refused;  // the one it answered last was not accepted
	int64_t heard_msec;      // the region's time at its last answer, 0: none in this start
	uint64_t heard_usec;     // the same on CLOCK_BOOTTIME

	// Ours.
	sd_event *event;
	struct region_events events;
	char boot_id[33];
	struct identity *identity; // borrowed
	bool durable, wants_mesh, wants_secrets, confirmed;
	size_t n_urls, n_pins, url;
	char *urls[SEED_MAX_URLS];
	uint8_t pins[SEED_MAX_PINS][32];
	char *token;
	char *proxy;             // the way to the region; NULL: straight
	char *exchange_path;     // the exchange under way, for a restarted hearthd
	char *exchange_id;
	uint8_t node_nonce[32], region_nonce[32], hello_nonce[32];
	uint8_t code_pin[32];    // the CA that the code was made with
	bool nonce_sent, durable_sent;
	char *etag, *mesh_since;
	char *status, *cluster;  // bodies to send, NULL: nothing to say
	uint64_t hello_started_usec, hello_ended_usec;
	struct http_client *hello_client, *key_client, *node_client;
	bool clients_stale;
	sd_event_source *kick;
	struct region_op_state ops[N_REGION_OPS];
};

int region_client_new(sd_event *event, const struct region_events *events, struct identity *identity, bool durable,
	const char *exchange_path, struct region_client **ret);
struct region_client *region_client_free(struct region_client *client);
DEFINE_CLEANUP(region_client)
/* Whom to talk to. A change forgets the hello. Texts are copied. */
int region_client_set_region(struct region_client *client, const char *const *urls, size_t n_urls,
	const uint8_t (*pins)[32], size_t n_pins, const char *token);
const char *region_client_url(const struct region_client *client);
/* The proxy (http://...) that the region is reached through; NULL: none. Copied. -ENOMEM. */
int region_client_set_proxy(struct region_client *client, const char *proxy);
// Where long polls start: what is stored already (may be NULL).
void region_client_set_known(struct region_client *client, const char *assignment_generation, const char *mesh_since);
// The assignment that was refused is asked for again: what spoke against it may have changed.
void region_client_forget_assignment(struct region_client *client);
void region_client_want_mesh(struct region_client *client, bool wanted);
void region_client_want_secrets(struct region_client *client, bool wanted);
// Those we have are of no use: ask again.
void region_client_forget_secrets(struct region_client *client);
// A person at this machine has compared the code. -EINVAL it is not the code.
int region_client_confirm(struct region_client *client, const char *code);
// Body of the next status (consumed); an older one that was not sent yet is dropped.
void region_client_send_status(struct region_client *client, char *json_take);
// Body of PUT /v1/cluster (consumed and wiped). NULL: what was not taken yet is not tried again.
void region_client_send_cluster(struct region_client *client, char *json_take);
/* An answer came. heard_msec becomes part of the clock's floor, so it is the earlier of our clock, which may be in 2100, and
 * of the signed hello's time gone on by CLOCK_BOOTTIME, which drifts in months. */
void region_client_heard(struct region_client *client, uint64_t now_usec, int64_t wall_msec);
/* The time by the region's clock, which made our certificate and judges it: the last hello's gone on by CLOCK_BOOTTIME;
 * ours before the first hello. */
int64_t region_client_wall_msec(const struct region_client *client, uint64_t now_usec, int64_t wall_msec);
/* A checked hello (its texts are taken). False: the owner does not accept its time. The first hello is none then; a later
 * one leaves the one before, because that is a warning and no reason to stop talking to the region. */
bool region_client_take_hello(struct region_client *client, const struct hello *fresh);
/* The URL with index @url did not answer: the next one is tried, once, however many calls to it were under way. */
void region_client_url_failed(struct region_client *client, size_t url);
/* Our own addresses changed: what is under way may wait on a connection that is dead. Every call starts anew. */
void region_client_reconnect(struct region_client *client);
// Network changed or a key was pressed: every backoff ends now.
void region_client_hurry(struct region_client *client);
