// Certificates and requests: issue, read, verify.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto-mbed.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/x509_csr.h>
#include <time.h>

enum { MAX_SANS = 64, SERIAL_BYTES = 16 };

char *mbed_subject(const char *organisation, const char *common_name)
{
	size_t n = 3 * ((organisation ? strlen(organisation) : 0) + strlen(common_name)) + 8;
	char *subject = malloc(n), *p = subject;
	const char *parts[] = { organisation, common_name }, *labels[] = { "O=", "CN=" };

	if (!subject)
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		if (!parts[i])
			continue;
		p = stpcpy(p == subject ? p : stpcpy(p, ","), labels[i]);
		for (const char *c = parts[i]; *c; c++) {
			if (strchr(" ,=+<>#;\"\\", *c)) // RFC 4514; a pair of hex digits is the form for all of them
				p += sprintf(p, "\\%02X", (uint8_t)*c);
			else
				*p++ = *c;
		}
	}
	*p = '\0';
	return subject;
}

int key_csr_pem(const struct key *key, const char *common_name, char **ret)
{
	AUTO_FREE char *subject = mbed_subject(NULL, common_name);
	AUTO_FREE unsigned char *pem = malloc(MAX_CERT_PEM);
	mbedtls_x509write_csr csr;

	if (!subject || !pem)
		return -ENOMEM;
	mbedtls_x509write_csr_init(&csr);
	mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
	mbedtls_x509write_csr_set_key(&csr, mbed_pk(key));
	int r = mbedtls_x509write_csr_set_subject_name(&csr, subject);
	if (r == 0)
		r = mbedtls_x509write_csr_pem(&csr, pem, MAX_CERT_PEM, mbed_random, NULL);
	mbedtls_x509write_csr_free(&csr);
	if (r != 0)
		return mbed_errno(r);
	*ret = strdup((char *)pem);
	return *ret ? 0 : -ENOMEM;
}

struct san_list {
	mbedtls_x509_san_list entries[MAX_SANS];
	uint8_t addresses[MAX_SANS][16];
};

static int fill_sans(const char *const *sans, struct san_list *list, struct diag *reterr)
{
	for (size_t i = 0; sans[i]; i++) {
		if (i == MAX_SANS)
			return diag_set(reterr, -E2BIG, "sans", "there must not be more than %d", MAX_SANS);
		mbedtls_x509_subject_alternative_name *san = &list->entries[i].node;
		size_t n = inet_pton(AF_INET, sans[i], list->addresses[i]) == 1	 ? 4 :
			   inet_pton(AF_INET6, sans[i], list->addresses[i]) == 1 ? 16 :
										   0;
		if (n > 0) {
			san->type = MBEDTLS_X509_SAN_IP_ADDRESS;
			san->san.unstructured_name.p = list->addresses[i];
			san->san.unstructured_name.len = n;
		} else {
			if (!*sans[i] || strlen(sans[i]) > 253)
				return diag_set(reterr, -EINVAL, "sans", "a name must have 1-253 characters, not \"%s\"",
					sans[i]);
			san->type = MBEDTLS_X509_SAN_DNS_NAME;
			san->san.unstructured_name.p = (unsigned char *)sans[i];
			san->san.unstructured_name.len = strlen(sans[i]);
		}
		if (i > 0)
			list->entries[i - 1].next = &list->entries[i];
	}
	return 0;
}

static int set_validity(mbedtls_x509write_cert *cert, const struct cert_request *request)
{
	char from[24], to[24];
	time_t not_before = (time_t)request->not_before_sec, not_after = (time_t)request->not_after_sec;
	struct tm tm;

	if (not_after <= not_before || !gmtime_r(&not_before, &tm) || strftime(from, 16, "%Y%m%d%H%M%S", &tm) != 14)
		return -EINVAL;
	if (!gmtime_r(&not_after, &tm) || strftime(to, 16, "%Y%m%d%H%M%S", &tm) != 14)
		return -EINVAL;
	return mbed_errno(mbedtls_x509write_crt_set_validity(cert, from, to));
}

static int set_usage(mbedtls_x509write_cert *cert, enum cert_usage usage)
{
	bool is_ca = usage == CERT_USAGE_CA;
	int r = mbedtls_x509write_crt_set_basic_constraints(cert, is_ca, is_ca ? 0 : -1); // a CA of leaves only

	if (r == 0)
		r = mbedtls_x509write_crt_set_key_usage(cert, is_ca ?
				MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	if (r != 0 || is_ca)
		return mbed_errno(r);
	const char *oid = usage == CERT_USAGE_SERVER ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;
	mbedtls_asn1_sequence purpose = { .buf = { .tag = MBEDTLS_ASN1_OID, .len = 8, .p = (unsigned char *)oid } };
	return mbed_errno(mbedtls_x509write_crt_set_ext_key_usage(cert, &purpose)); // copies
}

static int set_serial(mbedtls_x509write_cert *cert)
{
	uint8_t serial[SERIAL_BYTES];

	crypto_random(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); // positive, and always 16 bytes
	return mbed_errno(mbedtls_x509write_crt_set_serial_raw(cert, serial, sizeof(serial)));
}

// The parts of issuing that mbedTLS' writer only borrows.
struct issue {
	mbedtls_x509write_cert cert;
	mbedtls_x509_crt issuer;
	mbedtls_pk_context subject;
	struct san_list sans;
	unsigned char pem[MAX_CERT_PEM];
};

static struct issue *issue_free(struct issue *issue)
{
	mbedtls_x509write_crt_free(&issue->cert);
	mbedtls_x509_crt_free(&issue->issuer);
	mbedtls_pk_free(&issue->subject);
	free(issue);
	return NULL;
}
DEFINE_CLEANUP(issue)

static int set_names(struct issue *issue, const struct cert_request *request, const char *issuer_cert_pem,
	struct diag *reterr)
{
	char issuer_name[1024];
	AUTO_FREE char *subject = mbed_subject(request->organisation, request->common_name);

	if (!subject)
		return diag_set(reterr, -ENOMEM, "", "no memory");
	int r = mbedtls_x509write_crt_set_subject_name(&issue->cert, subject);
	if (r != 0)
		return diag_set(reterr, mbed_errno(r), "", "a certificate's name must fit X.509, not \"%s\"", subject);
	if (!issuer_cert_pem)
		return mbed_errno(mbedtls_x509write_crt_set_issuer_name(&issue->cert, subject));
	r = mbedtls_x509_crt_parse(&issue->issuer, (const unsigned char *)issuer_cert_pem, strlen(issuer_cert_pem) + 1);
	if (r != 0)
		return diag_set(reterr, -EINVAL, "", "the issuer must be a certificate in PEM");
	if (mbedtls_x509_dn_gets(issuer_name, sizeof(issuer_name), &issue->issuer.subject) < 0)
		return diag_set(reterr, -EINVAL, "", "the issuer's name must not be longer than 1023 characters");
	r = mbedtls_x509write_crt_set_issuer_name(&issue->cert, issuer_name);
	return r ? diag_set(reterr, mbed_errno(r), "", "the issuer's name cannot be used: %s", issuer_name) : 0;
}

static int set_keys(struct issue *issue, const struct cert_request *request, const struct key *issuer_key,
	struct diag *reterr)
{
	mbedtls_pk_context *subject = mbed_pk(issuer_key);

	if (request->spki) {
		if (mbed_parse_spki(request->spki, request->n_spki, &issue->subject) < 0)
			return diag_set(reterr, -EINVAL, "", "a certificate's public key must be on the curve P-256");
		subject = &issue->subject;
	}
	if (issue->issuer.version && mbedtls_pk_check_pair(&issue->issuer.pk, mbed_pk(issuer_key), mbed_random, NULL))
		return diag_set(reterr, -EINVAL, "", "the issuer's key must be the key of the issuer's certificate");
	mbedtls_x509write_crt_set_subject_key(&issue->cert, subject);
	mbedtls_x509write_crt_set_issuer_key(&issue->cert, mbed_pk(issuer_key));
	int r = mbedtls_x509write_crt_set_subject_key_identifier(&issue->cert);
	if (r == 0)
		r = mbedtls_x509write_crt_set_authority_key_identifier(&issue->cert);
	return r ? diag_set(reterr, mbed_errno(r), "", "the key identifiers cannot be made") : 0;
}

int cert_issue(const struct cert_request *request, const char *issuer_cert_pem, const struct key *issuer_key,
	char **ret_pem, struct diag *reterr)
{
	CLEANUP(issue_freep) struct issue *issue = calloc(1, sizeof(*issue));
	int r;

	if (!issue)
		return diag_set(reterr, -ENOMEM, "", "no memory");
	mbedtls_x509write_crt_init(&issue->cert);
	mbedtls_x509_crt_init(&issue->issuer);
	mbedtls_pk_init(&issue->subject);
	mbedtls_x509write_crt_set_version(&issue->cert, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&issue->cert, MBEDTLS_MD_SHA256);
	if ((r = set_names(issue, request, issuer_cert_pem, reterr)) < 0)
		return r;
	if ((r = set_keys(issue, request, issuer_key, reterr)) < 0)
		return r;
	if ((r = set_validity(&issue->cert, request)) < 0)
		return diag_set(reterr, r, "", "a certificate must end after it begins, and before the year 10000");
	if (request->sans && request->sans[0]) {
		if ((r = fill_sans(request->sans, &issue->sans, reterr)) < 0)
			return r;
		r = mbed_errno(mbedtls_x509write_crt_set_subject_alternative_name(&issue->cert, issue->sans.entries));
	}
	if (r == 0)
		r = set_serial(&issue->cert);
	if (r == 0)
		r = set_usage(&issue->cert, request->usage);
	if (r == 0)
		r = mbed_errno(mbedtls_x509write_crt_pem(&issue->cert, issue->pem, sizeof(issue->pem), mbed_random, NULL));
	if (r < 0)
		return diag_set(reterr, r, "", "the certificate cannot be written");
	*ret_pem = strdup((char *)issue->pem);
	return *ret_pem ? 0 : diag_set(reterr, -ENOMEM, "", "no memory");
}

void cert_facts_done(struct cert_facts *facts)
{
	free(facts->spki);
	*facts = (struct cert_facts){ 0 };
}

static int64_t to_sec(const mbedtls_x509_time *time)
{
	struct tm tm = { .tm_year = time->year - 1900, .tm_mon = time->mon - 1, .tm_mday = time->day,
		.tm_hour = time->hour, .tm_min = time->min, .tm_sec = time->sec };

	return timegm(&tm);
}

static bool has_purpose(const mbedtls_x509_crt *crt, const char *oid)
{
	return mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) &&
		mbedtls_x509_crt_check_extended_key_usage(crt, oid, 8) == 0;
}

// The last value of one attribute in a name; texts that do not fit, or with control characters, are no names of ours.
static void copy_attribute(const mbedtls_x509_name *name, const char *oid, size_t n_oid, char *ret, size_t size)
{
	for (; name; name = name->next) {
		if (name->oid.len != n_oid || memcmp(name->oid.p, oid, n_oid) != 0)
			continue;
		bool fits = name->val.len < size;
		for (size_t i = 0; fits && i < name->val.len; i++)
			fits = name->val.p[i] >= 0x20 && name->val.p[i] != 0x7f;
		memcpy(ret, fits ? (const char *)name->val.p : "", fits ? name->val.len : 0);
		ret[fits ? name->val.len : 0] = '\0';
	}
}

int cert_facts_from_der(const void *der, size_t n, struct cert_facts *ret, struct diag *reterr)
{
	struct cert_facts facts = { 0 };
	mbedtls_x509_crt crt;

	mbedtls_x509_crt_init(&crt);
	int r = mbedtls_x509_crt_parse_der(&crt, der, n);
	if (r != 0) {
		r = diag_set(reterr, mbed_errno(r), "", "must be an X.509 certificate");
	} else if (crt.raw.len != n) {
		r = diag_set(reterr, -EINVAL, "", "must be one certificate with nothing behind it");
	} else if ((facts.spki = malloc(crt.pk_raw.len)) == NULL) {
		r = diag_set(reterr, -ENOMEM, "", "no memory");
	} else {
		sha256(crt.raw.p, crt.raw.len, facts.sha256);
		sha256(crt.pk_raw.p, crt.pk_raw.len, facts.spki_sha256);
		memcpy(facts.spki, crt.pk_raw.p, crt.pk_raw.len);
		facts.n_spki = crt.pk_raw.len;
		facts.not_before_sec = to_sec(&crt.valid_from);
		facts.not_after_sec = to_sec(&crt.valid_to);
		facts.is_ca = mbedtls_x509_crt_get_ca_istrue(&crt) == 1;
		facts.server_auth = has_purpose(&crt, MBEDTLS_OID_SERVER_AUTH);
		facts.client_auth = has_purpose(&crt, MBEDTLS_OID_CLIENT_AUTH);
		copy_attribute(&crt.subject, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN), facts.common_name,
			sizeof(facts.common_name));
		copy_attribute(&crt.subject, MBEDTLS_OID_AT_ORGANIZATION, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_ORGANIZATION),
			facts.organisation, sizeof(facts.organisation));
		*ret = facts;
	}
	mbedtls_x509_crt_free(&crt);
	return r;
}

int cert_pem_to_der(const char *pem, uint8_t **ret, size_t *ret_n)
{
	mbedtls_pem_context context;
	size_t n_used, n;

	mbedtls_pem_init(&context);
	int r = mbedtls_pem_read_buffer(&context, "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
		(const unsigned char *)pem, NULL, 0, &n_used);
	if (r == 0) {
		const unsigned char *der = mbedtls_pem_get_buffer(&context, &n);
		*ret = malloc(n + 1);
		if (*ret) {
			memcpy(*ret, der, n);
			*ret_n = n;
		} else {
			r = MBEDTLS_ERR_PEM_ALLOC_FAILED;
		}
	}
	mbedtls_pem_free(&context);
	return mbed_errno(r);
}

int cert_facts_from_pem(const char *pem, struct cert_facts *ret, struct diag *reterr)
{
	AUTO_FREE uint8_t *der = NULL;
	size_t n;
	int r = cert_pem_to_der(pem, &der, &n);

	if (r < 0)
		return diag_set(reterr, r, "", "must be a certificate in PEM");
	return cert_facts_from_der(der, n, ret, reterr);
}

int cert_der_to_pem(const void *der, size_t n, char **ret)
{
	size_t n_pem = n / 3 * 4 + n / 48 * 2 + 128, n_written;
	AUTO_FREE unsigned char *pem = malloc(n_pem);

	if (!pem)
		return -ENOMEM;
	int r = mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", der, n, pem,
		n_pem, &n_written);
	if (r != 0)
		return mbed_errno(r);
	*ret = (char *)TAKE_PTR(pem);
	return 0;
}

int csr_spki(const char *csr_pem, uint8_t **ret_spki, size_t *ret_n, struct diag *reterr)
{
	uint8_t hash[SHA256_BYTES];
	mbedtls_x509_csr csr;
	int r;

	mbedtls_x509_csr_init(&csr);
	if (mbedtls_x509_csr_parse(&csr, (const unsigned char *)csr_pem, strlen(csr_pem) + 1) != 0) {
		r = diag_set(reterr, -EINVAL, "csr", "must be a certificate request in PEM");
	} else if (!mbed_is_p256(&csr.pk) || csr.MBEDTLS_PRIVATE(sig_md) != MBEDTLS_MD_SHA256) {
		r = diag_set(reterr, -EINVAL, "csr", "must be for a P-256 key, signed with SHA-256");
	} else {
		sha256(csr.cri.p, csr.cri.len, hash);
		r = mbedtls_pk_verify(&csr.pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), csr.MBEDTLS_PRIVATE(sig).p,
			csr.MBEDTLS_PRIVATE(sig).len);
		r = r ? diag_set(reterr, -EBADMSG, "csr", "must be signed by its own key") :
			mbed_spki(&csr.pk, ret_spki, ret_n);
	}
	mbedtls_x509_csr_free(&csr);
	return r;
}

// The first hello sets the clock, so it cannot yet judge dates; everything else about the chain counts.
static int ignore_dates(void *unused, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	*flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
	return 0;
}

static int verify(mbedtls_x509_crt *cert, mbedtls_x509_crt *ca, bool check_dates, struct diag *reterr)
{
	uint32_t flags = 0;
	char reason[512];
	int r = mbedtls_x509_crt_verify(cert, ca, NULL, NULL, &flags, check_dates ? NULL : ignore_dates, NULL);

	if (r == 0 && flags == 0)
		return 0;
	if (mbedtls_x509_crt_verify_info(reason, sizeof(reason), "", flags) <= 0)
		(void)snprintf(reason, sizeof(reason), "it cannot be checked"); // always fits
	for (char *p = reason; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	return diag_set(reterr, -EKEYREJECTED, "", "the certificate must be good under the CA, but: %s", reason);
}

int cert_verify(const char *cert_pem, const char *ca_pem, bool check_dates, struct diag *reterr)
{
	AUTO_FREE uint8_t *der = NULL;
	mbedtls_x509_crt cert, ca;
	size_t n;
	int r = cert_pem_to_der(cert_pem, &der, &n); // the first one only: no intermediates

	if (r < 0)
		return diag_set(reterr, -EKEYREJECTED, "", "must be a certificate in PEM");
	mbedtls_x509_crt_init(&cert);
	mbedtls_x509_crt_init(&ca);
	if (mbedtls_x509_crt_parse_der(&cert, der, n) != 0)
		r = diag_set(reterr, -EKEYREJECTED, "", "must be an X.509 certificate");
	else if (mbedtls_x509_crt_parse(&ca, (const unsigned char *)ca_pem, strlen(ca_pem) + 1) != 0)
		r = diag_set(reterr, -EKEYREJECTED, "", "the CA must be a certificate in PEM");
	else if (mbedtls_x509_crt_get_ca_istrue(&ca) != 1)
		r = diag_set(reterr, -EKEYREJECTED, "", "the CA's certificate must be that of a CA");
	else
		r = verify(&cert, &ca, check_dates, reterr);
	mbedtls_x509_crt_free(&cert);
	mbedtls_x509_crt_free(&ca);
	return r;
}
