// From lists to objects, edges and an order; then what is said about the first that is not ready.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/flux.h"
#include "base/time.h"
#include "base/utf8.h"
#include <errno.h>

enum { NAME_MAX_BYTES = 253, MAX_REFERENCES = 200 };

static const struct {
	const char *name, *plural, *api;
} kinds[N_FLUX_KINDS] = {
	[FLUX_GIT_REPOSITORY] = {"GitRepository", "gitrepositories", "source.toolkit.fluxcd.io/v1"},
	[FLUX_OCI_REPOSITORY] = {"OCIRepository", "ocirepositories", "source.toolkit.fluxcd.io/v1"},
	[FLUX_BUCKET] = {"Bucket", "buckets", "source.toolkit.fluxcd.io/v1"},
	[FLUX_EXTERNAL_ARTIFACT] = {"ExternalArtifact", "externalartifacts", "source.toolkit.fluxcd.io/v1"},
	[FLUX_HELM_REPOSITORY] = {"HelmRepository", "helmrepositories", "source.toolkit.fluxcd.io/v1"},
	[FLUX_HELM_CHART] = {"HelmChart", "helmcharts", "source.toolkit.fluxcd.io/v1"},
	[FLUX_KUSTOMIZATION] = {"Kustomization", "kustomizations", "kustomize.toolkit.fluxcd.io/v1"},
	[FLUX_HELM_RELEASE] = {"HelmRelease", "helmreleases", "helm.toolkit.fluxcd.io/v2"},
};

const char *flux_kind_name(enum flux_kind kind)
{
	return kind < N_FLUX_KINDS ? kinds[kind].name : "unknown";
}

const char *flux_kind_plural(enum flux_kind kind)
{
	return kind < N_FLUX_KINDS ? kinds[kind].plural : "unknown";
}

const char *flux_kind_api(enum flux_kind kind)
{
	return kind < N_FLUX_KINDS ? kinds[kind].api : "unknown";
}

static bool kind_from(const char *name, enum flux_kind *ret)
{
	for (size_t i = 0; name && i < N_FLUX_KINDS; i++)
		if (str_equal(kinds[i].name, name)) {
			*ret = (enum flux_kind)i;
			return true;
		}
	return false;
}

struct flux *flux_new(void)
{
	return calloc(1, sizeof(struct flux));
}

static void reference_done(struct flux_reference *reference)
{
	free(reference->namespace);
	free(reference->name);
}

static void object_done(struct flux_object *object)
{
	for (size_t i = 0; i < object->n_references; i++)
		reference_done(&object->references[i]);
	free(object->references);
	if (object->has_parent)
		reference_done(&object->parent);
	free(object->namespace);
	free(object->name);
	free(object->message);
}

struct flux *flux_free(struct flux *flux)
{
	if (!flux)
		return NULL;
	for (size_t i = 0; i < flux->n; i++)
		object_done(&flux->objects[i]);
	for (size_t i = 0; i < flux->n_cycles; i++)
		free(flux->cycles[i]);
	free(flux->objects);
	free(flux->edges);
	free(flux);
	return NULL;
}

// ---- one object

static int64_t number_of(const struct value *value, int64_t otherwise)
{
	int64_t number = otherwise;

	if (value && value_int(value, "number", INT64_MIN, INT64_MAX, &number, NULL) < 0)
		return otherwise;
	return number;
}

static bool true_at(const struct value *object, const char *section, const char *key)
{
	const struct value *value = value_path(object, section, key, NULL);

	return value && value->type == VALUE_BOOL && value->boolean;
}

static int64_t time_of(const struct value *value)
{
	const char *text = value_text(value);
	int64_t sec;

	return text && time_parse_utc(text, &sec) == 0 ? sec : 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// A copy that is printable, one line without needless spaces, and short.
static char *message_copy(const char *text)
{
	char *copy = malloc(FLUX_MESSAGE_MAX + 1);
	size_t n = 0;

	if (!copy)
		return NULL;
	for (; *text && n < FLUX_MESSAGE_MAX; text++)
		if (!is_space(*text))
			copy[n++] = *text;
		else if (n > 0 && copy[n - 1] != ' ')
			copy[n++] = ' ';
	while (is_space(*text))
		text++;
	if (*text) { // there is more
		n = FLUX_MESSAGE_MAX - strlen("...");
		while (n > 0 && ((unsigned char)copy[n] & 0xC0) == 0x80) // not inside a character
			n--;
		memcpy(copy + n, "...", strlen("..."));
		n += strlen("...");
	}
	while (n > 0 && copy[n - 1] == ' ')
		n--;
	copy[n] = '\0';
	utf8_make_printable(copy);
	return copy;
}

static const struct value *condition_find(const struct value *live, const char *type)
{
	const struct value *conditions = value_path(live, "status", "conditions", NULL);

	for (size_t i = 0; conditions && conditions->type == VALUE_ARRAY && i < conditions->n; i++)
		if (str_equal(value_text(value_find(&conditions->items[i], "type")), type))
			return &conditions->items[i];
	return NULL;
}

static int not_ready(struct flux_object *object, int64_t since_sec, const char *message)
{
	object->ready = false;
	object->since_sec = since_sec;
	object->message = message_copy(message);
	return object->message ? 0 : -ENOMEM;
}

// A Ready condition that is not True.
static int refused(struct flux_object *object, const struct value *condition)
{
	const char *message = value_text(value_find(condition, "message"));
	const char *reason = value_text(value_find(condition, "reason"));
	char *text AUTO_FREE = str_format("%s%s", object->suspended ? "it is suspended; the last it said: " : "",
		message && *message ? message : reason && *reason ? reason : "it gives no reason");

	return text ? not_ready(object, time_of(value_find(condition, "lastTransitionTime")), text) : -ENOMEM;
}

/* Flux moves status.observedGeneration only when a generation is reconciled; what failed is in the condition before that.
 * A suspended object looks at nothing: what it said last is what counts. */
static int judge(struct flux_object *object, const struct value *live)
{
	const struct value *ready = condition_find(live, "Ready");
	const char *status = value_text(value_find(ready, "status"));
	int64_t made_sec = time_of(value_path(live, "metadata", "creationTimestamp", NULL));
	int64_t generation = number_of(value_path(live, "metadata", "generation", NULL), 0);
	const struct value *deleted = value_path(live, "metadata", "deletionTimestamp", NULL);
	int64_t observed = number_of(value_path(live, "status", "observedGeneration", NULL), -1);

	if (deleted && deleted->type != VALUE_NULL)
		return not_ready(object, time_of(deleted), "it is being deleted, and something still holds it");
	if (!status) {
		// these two need no controller to be usable
		object->ready = (object->kind == FLUX_HELM_REPOSITORY &&
					str_equal(value_text(value_path(live, "spec", "type", NULL)), "oci")) ||
				(object->kind == FLUX_EXTERNAL_ARTIFACT &&
					value_text(value_path(live, "status", "artifact", "url", NULL)));
		if (object->ready)
			return 0;
		return not_ready(object, made_sec,
			object->suspended ? "it is suspended and was never looked at"
					  : "its controller has not looked at it yet");
	}
	if (!str_equal(status, "True"))
		return refused(object, ready);
	observed = number_of(value_find(ready, "observedGeneration"), observed);
	if (!object->suspended && observed >= 0 && observed < generation)
		return not_ready(object, time_of(value_find(condition_find(live, "Reconciling"), "lastTransitionTime")),
			"its last change is not reconciled yet");
	object->ready = true;
	return 0;
}

// ---- what it waits for

static bool name_fits(const char *name)
{
	return name && *name && strlen(name) <= NAME_MAX_BYTES;
}

static int reference_set(struct flux_reference *ret, enum flux_kind kind, const char *namespace, const char *name)
{
	ret->kind = kind;
	ret->namespace = strdup(namespace);
	ret->name = strdup(name);
	if (ret->namespace && ret->name)
		return 0;
	reference_done(ret);
	return -ENOMEM;
}

/* @reference: {name, namespace, kind}; without a kind it is @kind, without a namespace the object's own. What is of none of
 * our kinds is left out. 1 when it was added. */
static int reference_add(struct flux_object *object, const struct value *reference, enum flux_kind kind)
{
	const char *name = value_text(value_find(reference, "name"));
	const char *namespace = value_text(value_find(reference, "namespace"));
	const char *kind_name = value_text(value_find(reference, "kind"));
	struct flux_reference *grown;
	int r;

	if (!name_fits(name) || (namespace && *namespace && !name_fits(namespace)) ||
		(kind_name && !kind_from(kind_name, &kind)) || kind >= N_FLUX_KINDS ||
		object->n_references == MAX_REFERENCES)
		return 0;
	grown = realloc(object->references, (object->n_references + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	object->references = grown;
	r = reference_set(&grown[object->n_references], kind, namespace && *namespace ? namespace : object->namespace, name);
	if (r < 0)
		return r;
	object->n_references++;
	return 1;
}

static int references_of(struct flux_object *object, const struct value *live)
{
	const struct value *sources[] = {
		value_path(live, "spec", "sourceRef", NULL),
		value_path(live, "spec", "chartRef", NULL),
		value_path(live, "spec", "chart", "spec", "sourceRef", NULL),
	};
	static const char *const lists[] = {"dependsOn", "healthChecks"};
	int r;

	for (size_t i = 0; i < N_ELEMENTS(sources); i++) {
		r = sources[i] ? reference_add(object, sources[i], N_FLUX_KINDS) : 0;
		if (r < 0)
			return r;
		if (r > 0 && !object->has_source) {
			object->has_source = true;
			object->source = object->n_references - 1;
		}
	}
	for (size_t l = 0; l < N_ELEMENTS(lists); l++) {
		const struct value *list = value_path(live, "spec", lists[l], NULL);

		for (size_t i = 0; list && list->type == VALUE_ARRAY && i < list->n; i++) {
			// dependsOn names objects of the same kind, health checks always say theirs
			r = reference_add(object, &list->items[i], l == 0 ? object->kind : N_FLUX_KINDS);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int parent_of(struct flux_object *object, const struct value *live)
{
	const struct value *labels = value_path(live, "metadata", "labels", NULL);
	const char *name = value_text(value_find(labels, "kustomize.toolkit.fluxcd.io/name"));
	const char *namespace = value_text(value_find(labels, "kustomize.toolkit.fluxcd.io/namespace"));
	int r;

	if (!name_fits(name) || !name_fits(namespace))
		return 0;
	r = reference_set(&object->parent, FLUX_KUSTOMIZATION, namespace, name);
	object->has_parent = r == 0;
	return r;
}

static int object_read(struct flux_object *object, enum flux_kind kind, const struct value *live, struct diag *reterr)
{
	const char *name = value_text(value_path(live, "metadata", "name", NULL));
	const char *namespace = value_text(value_path(live, "metadata", "namespace", NULL));
	int r;

	if (!name_fits(name) || !name_fits(namespace))
		return diag_set(reterr, -EBADMSG, kinds[kind].plural, "an object of the list has no usable name and namespace");
	object->kind = kind;
	object->name = strdup(name);
	object->namespace = strdup(namespace);
	if (!object->name || !object->namespace)
		return -ENOMEM;
	utf8_make_printable(object->name);
	utf8_make_printable(object->namespace);
	object->suspended = true_at(live, "spec", "suspend");
	object->wait = kind == FLUX_KUSTOMIZATION && true_at(live, "spec", "wait");
	r = judge(object, live);
	if (r == 0)
		r = references_of(object, live);
	return r < 0 ? r : parent_of(object, live);
}

int flux_add(struct flux *flux, enum flux_kind kind, const struct value *list, struct diag *reterr)
{
	const struct value *items = value_find(list, "items");
	struct flux_object *grown;

	if (kind >= N_FLUX_KINDS || !items || (items->type != VALUE_ARRAY && items->type != VALUE_NULL))
		return diag_set(reterr, -EBADMSG, flux_kind_plural(kind), "the answer of the API is no list");
	if (items->n > FLUX_MAX_OBJECTS - flux->n)
		return diag_set(reterr, -E2BIG, kinds[kind].plural, "at most %d objects of Flux are read", FLUX_MAX_OBJECTS);
	if (items->n == 0)
		return 0;
	grown = realloc(flux->objects, (flux->n + items->n) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	flux->objects = grown;
	for (size_t i = 0; i < items->n; i++) {
		int r;

		grown[flux->n] = (struct flux_object){0};
		r = object_read(&grown[flux->n], kind, &items->items[i], reterr);
		flux->n++; // also a half-made one is flux_free()'s
		if (r < 0)
			return r;
	}
	return 0;
}

// ---- order

static int compare_names(enum flux_kind a_kind, const char *a_namespace, const char *a_name, const struct flux_object *b)
{
	int r;

	if (a_kind != b->kind)
		return a_kind < b->kind ? -1 : 1;
	r = strcmp(a_namespace, b->namespace);
	return r ? r : strcmp(a_name, b->name);
}

static int compare_objects(const void *a, const void *b)
{
	const struct flux_object *object = a;

	return compare_names(object->kind, object->namespace, object->name, b);
}

static int compare_reference(const void *key, const void *element)
{
	const struct flux_reference *reference = key;

	return compare_names(reference->kind, reference->namespace, reference->name, element);
}

static int compare_edges(const void *a, const void *b)
{
	const struct flux_edge *left = a, *right = b;

	if (left->waiter != right->waiter)
		return left->waiter < right->waiter ? -1 : 1;
	return left->waited < right->waited ? -1 : left->waited > right->waited;
}

static bool object_find(const struct flux *flux, const struct flux_reference *reference, size_t *ret)
{
	const struct flux_object *found =
		bsearch(reference, flux->objects, flux->n, sizeof(*flux->objects), compare_reference);

	if (found)
		*ret = (size_t)(found - flux->objects);
	return found;
}

/* Who waits for whom among those that are there. A Kustomization with `wait` waits for all that it applied; that it applied
 * itself is usual (flux bootstrap does it) and no circle. */
static int edges_make(struct flux *flux, struct diag *reterr)
{
	size_t n = flux->n, at;

	for (size_t i = 0; i < flux->n; i++)
		n += flux->objects[i].n_references;
	if (n > FLUX_MAX_EDGES)
		return diag_set(reterr, -E2BIG, "", "at most %d references between objects of Flux are read", FLUX_MAX_EDGES);
	flux->edges = calloc(n ? n : 1, sizeof(*flux->edges));
	if (!flux->edges)
		return -ENOMEM;
	for (size_t i = 0; i < flux->n; i++) {
		const struct flux_object *object = &flux->objects[i];

		for (size_t j = 0; j < object->n_references; j++)
			if (object_find(flux, &object->references[j], &at))
				flux->edges[flux->n_edges++] = (struct flux_edge){.waiter = i, .waited = at};
		if (object->has_parent && object_find(flux, &object->parent, &at) && at != i && flux->objects[at].wait)
			flux->edges[flux->n_edges++] = (struct flux_edge){.waiter = at, .waited = i};
	}
	qsort(flux->edges, flux->n_edges, sizeof(*flux->edges), compare_edges);
	return 0;
}

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

struct walk { // depth first, without recursion: a chain may be as long as the list
	enum mark *marks;
	size_t *stack, *next_edge; // of each object: the edge to follow next
	size_t n_stack;
	size_t *order, n_order; // indexes, what is waited for first
};

static void walk_done(struct walk *walk)
{
	free(walk->marks);
	free(walk->stack);
	free(walk->next_edge);
	free(walk->order);
}

// The objects on the stack from @from on wait for each other.
static int cycle_note(struct flux *flux, const struct walk *walk, size_t from)
{
	size_t first = 0;
	char *text;

	while (walk->stack[first] != from)
		first++;
	if (flux->n_cycles == FLUX_MAX_CYCLES)
		return 0; // that many to mend first
	text = strdup("");
	for (size_t i = first; text && i <= walk->n_stack; i++) {
		const struct flux_object *object = &flux->objects[i < walk->n_stack ? walk->stack[i] : from];
		char *longer;

		if (i > first + 8 && i < walk->n_stack)
			continue;
		longer = str_format("%s%s%s %s/%s", text, i == first ? "" : i > first + 8 ? " -> ... -> " : " -> ",
			kinds[object->kind].name, object->namespace, object->name);
		free(text);
		text = longer;
	}
	if (!text)
		return -ENOMEM;
	flux->cycles[flux->n_cycles++] = text;
	for (size_t i = first; i < walk->n_stack; i++)
		if (!flux->objects[walk->stack[i]].cycle)
			flux->objects[walk->stack[i]].cycle = text;
	return 0;
}

static int walk_from(struct flux *flux, struct walk *walk, size_t start)
{
	walk->stack[walk->n_stack++] = start;
	walk->marks[start] = MARK_OPEN;
	while (walk->n_stack > 0) {
		size_t now = walk->stack[walk->n_stack - 1], edge = walk->next_edge[now], waited;
		int r;

		if (edge == flux->n_edges || flux->edges[edge].waiter != now) {
			walk->marks[now] = MARK_DONE;
			walk->order[walk->n_order++] = now;
			walk->n_stack--;
			continue;
		}
		walk->next_edge[now]++;
		waited = flux->edges[edge].waited;
		switch (walk->marks[waited]) {
		case MARK_NEW:
			walk->marks[waited] = MARK_OPEN;
			walk->stack[walk->n_stack++] = waited;
			break;
		case MARK_OPEN:
			r = cycle_note(flux, walk, waited);
			if (r < 0)
				return r;
			break;
		case MARK_DONE:
			break;
		}
	}
	return 0;
}

// Objects and edges get the places of the order.
static int order_apply(struct flux *flux, const struct walk *walk)
{
	struct flux_object *ordered = calloc(flux->n, sizeof(*ordered));
	size_t *place_of AUTO_FREE = calloc(flux->n, sizeof(*place_of));

	if (!ordered || !place_of) {
		free(ordered);
		return -ENOMEM;
	}
	for (size_t i = 0; i < flux->n; i++) {
		ordered[i] = flux->objects[walk->order[i]];
		place_of[walk->order[i]] = i;
	}
	free(flux->objects);
	flux->objects = ordered;
	for (size_t i = 0; i < flux->n_edges; i++)
		flux->edges[i] = (struct flux_edge){.waiter = place_of[flux->edges[i].waiter],
			.waited = place_of[flux->edges[i].waited]};
	qsort(flux->edges, flux->n_edges, sizeof(*flux->edges), compare_edges);
	return 0;
}

int flux_arrange(struct flux *flux, struct diag *reterr)
{
	struct walk walk CLEANUP(walk_done) = {0};
	size_t edge = 0;
	int r;

	if (flux->n == 0)
		return 0;
	qsort(flux->objects, flux->n, sizeof(*flux->objects), compare_objects);
	r = edges_make(flux, reterr);
	if (r < 0)
		return r;
	walk.marks = calloc(flux->n, sizeof(*walk.marks));
	walk.stack = calloc(flux->n, sizeof(*walk.stack));
	walk.next_edge = calloc(flux->n, sizeof(*walk.next_edge));
	walk.order = calloc(flux->n, sizeof(*walk.order));
	if (!walk.marks || !walk.stack || !walk.next_edge || !walk.order)
		return -ENOMEM;
	for (size_t i = 0; i < flux->n; i++) {
		while (edge < flux->n_edges && flux->edges[edge].waiter < i)
			edge++;
		walk.next_edge[i] = edge;
		flux->n_ready += flux->objects[i].ready;
		flux->n_suspended += flux->objects[i].suspended;
	}
	for (size_t i = 0; i < flux->n; i++) {
		r = walk.marks[i] == MARK_NEW ? walk_from(flux, &walk, i) : 0;
		if (r < 0)
			return r;
	}
	return order_apply(flux, &walk);
}

// ---- what is said

const struct flux_object *flux_first(const struct flux *flux)
{
	for (size_t i = 0; i < flux->n; i++)
		if (!flux->objects[i].ready)
			return &flux->objects[i];
	return NULL;
}

// "" when it is not known or just now, else " for 4 min".
static void age_text(int64_t since_sec, int64_t now_sec, char ret[static 32])
{
	static const int steps[] = {86400, 43200, 21600, 7200, 3600, 1800, 1200, 600, 300, 240, 180, 120, 60, 40, 20, 10, 5};
	int64_t sec = since_sec && now_sec > since_sec ? now_sec - since_sec : 0;
	int step = 0;

	for (size_t i = 0; !step && i < N_ELEMENTS(steps); i++)
		if (sec >= steps[i])
			step = steps[i];
	ret[0] = '\0';
	if (step == 86400)
		snprintf(ret, 32, " for %lld d", (long long)(sec / 86400));
	else if (step >= 3600)
		snprintf(ret, 32, " for %d h", step / 3600);
	else if (step >= 60)
		snprintf(ret, 32, " for %d min", step / 60);
	else if (step)
		snprintf(ret, 32, " for %d s", step);
}

// Those not ready that wait for @first, directly or through others: how many, and the nearest of them.
static size_t behind(const struct flux *flux, const struct flux_object *first, const struct flux_object **ret_nearest)
{
	bool *marked AUTO_FREE = calloc(flux->n, sizeof(*marked));
	size_t n = 0, edge = 0;

	*ret_nearest = NULL;
	if (!marked)
		return 0;
	marked[first - flux->objects] = true;
	for (size_t i = 0; i < flux->n; i++)
		for (; edge < flux->n_edges && flux->edges[edge].waiter == i; edge++) {
			if (marked[i] || !marked[flux->edges[edge].waited])
				continue;
			marked[i] = true;
			if (flux->objects[i].ready)
				continue;
			if (n++ == 0)
				*ret_nearest = &flux->objects[i];
		}
	return n;
}

static void behind_text(const struct flux *flux, const struct flux_object *first, char *ret, size_t n_ret)
{
	const struct flux_object *nearest;
	size_t n = behind(flux, first, &nearest);

	ret[0] = '\0';
	if (n == 1)
		snprintf(ret, n_ret, "; %s %.63s/%.63s waits behind it", kinds[nearest->kind].name, nearest->namespace,
			nearest->name);
	else if (n > 1)
		snprintf(ret, n_ret, "; %s %.63s/%.63s and %zu more wait behind it", kinds[nearest->kind].name,
			nearest->namespace, nearest->name, n - 1);
}

static void mend_text(const struct flux_object *object, char *ret, size_t n_ret)
{
	const struct flux_reference *source = object->has_source ? &object->references[object->source] : NULL;

	if (object->suspended)
		snprintf(ret, n_ret, "who suspended it can resume it");
	else if (source)
		snprintf(ret, n_ret, "mend it in its source, %s %.63s/%.63s", kinds[source->kind].name, source->namespace,
			source->name);
	else if (object->kind < FLUX_KUSTOMIZATION)
		snprintf(ret, n_ret, "the platform team, or whoever runs what it reads from, can mend it");
	else
		snprintf(ret, n_ret, "the platform team can mend it");
}

void flux_sentence(const struct flux *flux, int64_t now_sec, char ret[static FLUX_SENTENCE_MAX])
{
	const struct flux_object *first = flux_first(flux);
	char age[32], waiting[256], mend[256];

	ret[0] = '\0';
	if (!first)
		return;
	age_text(first->since_sec, now_sec, age);
	if (first->cycle) {
		snprintf(ret, FLUX_SENTENCE_MAX, "%s %.63s/%.63s is not ready%s: these wait for each other: %.380s; mend their "
			"dependsOn in their source", kinds[first->kind].name, first->namespace, first->name, age, first->cycle);
	} else {
		behind_text(flux, first, waiting, sizeof(waiting));
		mend_text(first, mend, sizeof(mend));
		// the sentence of the ladder is shorter than a message may be: who can mend it has to stand in it
		snprintf(ret, FLUX_SENTENCE_MAX, "%s %.63s/%.63s is not ready%s: %.260s%s%s; %s", kinds[first->kind].name,
			first->namespace, first->name, age, first->message, strlen(first->message) > 260 ? "..." : "", waiting,
			mend);
	}
	for (size_t bad; !utf8_valid(ret, strlen(ret), &bad);)
		ret[bad] = '?'; // cut in two
}

void flux_suspended(const struct flux *flux, char ret[static FLUX_SENTENCE_MAX])
{
	const struct flux_object *first = NULL;

	ret[0] = '\0';
	for (size_t i = 0; !first && i < flux->n; i++)
		if (flux->objects[i].suspended)
			first = &flux->objects[i];
	if (first)
		snprintf(ret, FLUX_SENTENCE_MAX, "%zu of %zu objects are suspended (%s %s/%s%s): they follow their source again "
			"when somebody resumes them", flux->n_suspended, flux->n, kinds[first->kind].name, first->namespace,
			first->name, flux->n_suspended > 1 ? ", ..." : "");
}

void flux_to_json(const struct flux *flux, int64_t now_sec, struct json_out *out)
{
	size_t n_items = 0;

	json_out_object_begin(out);
	json_out_member_int(out, "n", (int64_t)flux->n);
	json_out_member_int(out, "nReady", (int64_t)flux->n_ready);
	json_out_key(out, "items");
	json_out_array_begin(out);
	for (size_t i = 0; i < flux->n && n_items < FLUX_MAX_ITEMS; i++) {
		const struct flux_object *object = &flux->objects[i];

		if (object->ready)
			continue;
		n_items++;
		json_out_object_begin(out);
		json_out_member(out, "kind", kinds[object->kind].name);
		json_out_member(out, "namespace", object->namespace);
		json_out_member(out, "name", object->name);
		json_out_member_bool(out, "ready", false);
		json_out_member(out, "message", object->message);
		json_out_member_int(out, "ageSec",
			object->since_sec && now_sec > object->since_sec ? now_sec - object->since_sec : 0);
		json_out_object_end(out);
	}
	json_out_array_end(out);
	json_out_object_end(out);
}
