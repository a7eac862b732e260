// SPDX-License-Identifier: Apache-2.0
#include "netconf/wire-listen.h"

#include "base/time.h"
#include "base/timer.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

enum {
	MAX_PORTS = 16,
	FRAMES_AT_ONCE = 64,
	REST_MSEC = 500, // between two looks: a trunk may carry any traffic, and a few frames tell all
	FRAME_BYTES = 1536,
};

struct port {
	int index;
	char name[IFNAMSIZ], mac[18];
};
struct wire_listener {
	int fd;
	sd_event_source *io, *rest;
	void (*on_news)(void *user);
	void *user;
	size_t n_ports;
	struct port ports[MAX_PORTS];
	struct wire_table table;
};

// --- the table ---

static int order(const void *a, const void *b)
{
	const struct wire_seen *one = a, *other = b;
	if (one->vlan.told != other->vlan.told)
		return one->vlan.told ? -1 : 1;
	int by_link = strcmp(one->link, other->link);
	return by_link ? by_link : (int)one->vlan.id - (int)other->vlan.id;
}

static bool take_vlan(struct wire_table *table, const char *link, const char *mac, const struct wire_vlan *vlan)
{
	struct wire_seen *seen = NULL;
	for (size_t i = 0; i < table->n && !seen; i++)
		if (table->seen[i].vlan.id == vlan->id && str_equal(table->seen[i].link, link))
			seen = &table->seen[i];
	if (seen && (!vlan->told || (seen->vlan.told && (seen->vlan.name[0] || !vlan->name[0]))))
		return false; // known as well as that
	if (!seen && table->n == WIRE_MAX_VLANS && (!vlan->told || table->seen[WIRE_MAX_VLANS - 1].vlan.told))
		return false;
	if (!seen) // the last one is of those that were only heard
		seen = &table->seen[table->n < WIRE_MAX_VLANS ? table->n++ : WIRE_MAX_VLANS - 1];
	*seen = (struct wire_seen){.vlan = *vlan};
	(void)snprintf(seen->link, sizeof(seen->link), "%s", link); // equally long
	(void)snprintf(seen->mac, sizeof(seen->mac), "%s", mac);
	qsort(table->seen, table->n, sizeof(*table->seen), order);
	return true;
}

static bool take_place(struct wire_table *table, const char *link, const char *text)
{
	struct wire_place *place = NULL;
	for (size_t i = 0; i < table->n_places && !place; i++)
		if (str_equal(table->places[i].link, link))
			place = &table->places[i];
	if (!place && table->n_places == N_ELEMENTS(table->places))
		return false;
	if (place && str_equal(place->place, text))
		return false;
	if (!place)
		place = &table->places[table->n_places++];
	(void)snprintf(place->link, sizeof(place->link), "%s", link); // equally long
	(void)snprintf(place->place, sizeof(place->place), "%s", text);
	return true;
}

bool wire_table_take(struct wire_table *table, const char *link, const char *mac, const struct wire_sign *sign)
{
	bool news = false;
	for (size_t i = 0; i < sign->n_vlans; i++)
		news |= take_vlan(table, link, mac, &sign->vlans[i]);
	if (sign->place[0])
		news |= take_place(table, link, sign->place);
	return news;
}

// --- frames ---

static uint16_t tag_of(struct msghdr *message)
{
	for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one)) {
		struct tpacket_auxdata auxdata;
		if (one->cmsg_level != SOL_PACKET || one->cmsg_type != PACKET_AUXDATA ||
			one->cmsg_len < CMSG_LEN(sizeof(auxdata)))
			continue;
		memcpy(&auxdata, CMSG_DATA(one), sizeof(auxdata));
		return auxdata.tp_status & TP_STATUS_VLAN_VALID ? auxdata.tp_vlan_tci : 0;
	}
	return 0;
}

static struct port *port_of(struct wire_listener *listener, int index)
{
	for (size_t i = 0; i < listener->n_ports; i++)
		if (listener->ports[i].index == index)
			return &listener->ports[i];
	return NULL;
}

// False: there was none.
static bool read_one(struct wire_listener *listener, bool *news)
{
	uint8_t frame[FRAME_BYTES];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from = {0};
	struct iovec part = {frame, sizeof(frame)};
	struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct wire_sign sign;
	ssize_t n = recvmsg(listener->fd, &message, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == ENETDOWN; // a port that went down says so once
	const struct port *port = port_of(listener, from.sll_ifindex);
	if (port && from.sll_pkttype != PACKET_OUTGOING && wire_sign_read(frame, (size_t)n, tag_of(&message), &sign))
		*news |= wire_table_take(&listener->table, port->name, port->mac, &sign);
	return true;
}

static int on_frames(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct wire_listener *listener = user;
	bool news = false;
	for (unsigned i = 0; i < FRAMES_AT_ONCE && read_one(listener, &news); i++)
		continue;
	if (timer_arm(listener->rest, REST_MSEC * USEC_PER_MSEC) >= 0)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF); // a live source
	if (news)
		listener->on_news(listener->user);
	return 0;
}

static int on_rested(sd_event_source *source, uint64_t usec, void *user)
{
	struct wire_listener *listener = user;
	(void)sd_event_source_set_enabled(listener->io, SD_EVENT_ON); // a live source
	return 0;
}

// --- the socket ---

// Tagged frames and LLDP alone; before bind(), so that nothing else is ever queued.
static int set_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88cc, 2, 0), // LLDP
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_VLAN, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88a8, 0, 1), // a provider's tag
		BPF_STMT(BPF_RET | BPF_K, FRAME_BYTES),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {N_ELEMENTS(code), code};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int open_socket(int *ret)
{
	int on = 1;
	AUTO_CLOSE int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htobe16(ETH_P_ALL)};
	if (fd < 0)
		return -errno;
	int r = set_filter(fd);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
		bind(fd, (const struct sockaddr *)&all, sizeof(all)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int wire_listener_new(sd_event *event, void (*on_news)(void *user), void *user, struct wire_listener **ret,
	struct diag *reterr)
{
	CLEANUP(wire_listener_freep) struct wire_listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->on_news = on_news;
	listener->user = user;
	listener->fd = -1;
	int r = open_socket(&listener->fd);
	if (r >= 0)
		r = sd_event_add_io(event, &listener->io, listener->fd, EPOLLIN, on_frames, listener);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &listener->rest, CLOCK_BOOTTIME, 0, 0, on_rested, listener);
	if (r < 0)
		return diag_set(reterr, r, "", "the wire cannot be listened on: %s", strerror(-r));
	*ret = TAKE_PTR(listener);
	return 0;
}

struct wire_listener *wire_listener_free(struct wire_listener *listener)
{
	if (!listener)
		return NULL;
	sd_event_source_disable_unref(listener->io);
	sd_event_source_disable_unref(listener->rest);
	if (listener->fd >= 0)
		(void)close(listener->fd); // ports are promiscuous as long as it is open
	free(listener);
	return NULL;
}

// udev may name it later than we hear the first frame.
static void rename_port(struct wire_listener *listener, struct port *port, const char *name)
{
	struct wire_table *table = &listener->table;
	for (size_t i = 0; i < table->n; i++)
		if (str_equal(table->seen[i].link, port->name))
			(void)snprintf(table->seen[i].link, IFNAMSIZ, "%s", name); // equally long
	for (size_t i = 0; i < table->n_places; i++)
		if (str_equal(table->places[i].link, port->name))
			(void)snprintf(table->places[i].link, IFNAMSIZ, "%s", name);
	(void)snprintf(port->name, IFNAMSIZ, "%s", name);
}

void wire_table_forget(struct wire_table *table, const char *link)
{
	size_t n = 0, n_places = 0;
	for (size_t i = 0; i < table->n; i++)
		if (!str_equal(table->seen[i].link, link))
			table->seen[n++] = table->seen[i];
	for (size_t i = 0; i < table->n_places; i++)
		if (!str_equal(table->places[i].link, link))
			table->places[n_places++] = table->places[i];
	table->n = n;
	table->n_places = n_places;
}

static bool has_link(const struct netconf_links *links, int index)
{
	for (size_t i = 0; i < links->n; i++)
		if (links->links[i].index == index)
			return true;
	return false;
}

// Cards that are gone make room for others; the kernel has closed them for us.
static void drop_ports(struct wire_listener *listener, const struct netconf_links *links)
{
	size_t n = 0;
	for (size_t i = 0; i < listener->n_ports; i++) {
		if (has_link(links, listener->ports[i].index))
			listener->ports[n++] = listener->ports[i];
		else
			wire_table_forget(&listener->table, listener->ports[i].name);
	}
	listener->n_ports = n;
}

void wire_listener_look(struct wire_listener *listener, const struct netconf_links *links)
{
	if (!links)
		return; // they cannot be read
	drop_ports(listener, links);
	for (size_t i = 0; i < links->n; i++) {
		const struct netconf_link *link = &links->links[i];
		struct packet_mreq promiscuous = {.mr_ifindex = link->index, .mr_type = PACKET_MR_PROMISC};
		struct port *port = port_of(listener, link->index);
		if (port && !str_equal(port->name, link->name))
			rename_port(listener, port, link->name);
		if (!link->wired || port || listener->n_ports == MAX_PORTS)
			continue;
		port = &listener->ports[listener->n_ports++];
		port->index = link->index;
		(void)snprintf(port->name, sizeof(port->name), "%s", link->name); // equally long
		(void)snprintf(port->mac, sizeof(port->mac), "%s", link->permanent_mac[0] ? link->permanent_mac : link->mac);
		// refused: LLDP comes all the same
		(void)setsockopt(listener->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous));
	}
}

const struct wire_seen *wire_listener_seen(const struct wire_listener *listener, size_t *ret_n)
{
	*ret_n = listener ? listener->table.n : 0;
	return listener ? listener->table.seen : NULL;
}

const char *wire_listener_place(const struct wire_listener *listener, const char *link)
{
	for (size_t i = 0; listener && link && i < listener->table.n_places; i++)
		if (str_equal(listener->table.places[i].link, link))
			return listener->table.places[i].place;
	return NULL;
}
