#!/usr/bin/env python3
# First contact with everything that may be wrong about it, on cheap machines: wrong pin, a node's certificate used as a
# server, used and expired tokens, wrong codes, no and foreign certificates, a revoked node. Each is refused with its own
# sentence on the console, and the machine goes on by itself when the cause is mended.
# SPDX-License-Identifier: Apache-2.0
import base64
import hashlib
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checks  # noqa: E402
import lab as labs  # noqa: E402
import parts  # noqa: E402

WRONG = ["0000-0000", "1111-1111", "2222-2222", "3333-3333", "4444-4444"]


def der(pem):
    return ssl.PEM_cert_to_DER_cert(pem)


class FalseRegion:
    """A server with the certificate of a node, signed by the right CA, that answers hello correctly but for that."""

    def __init__(self, folder, ca_pem, cert_pem, key_pem):
        self.key = folder + "/false.key"
        with open(self.key, "w") as f:
            f.write(key_pem)
        with open(folder + "/false.crt", "w") as f:
            f.write(cert_pem + ca_pem)
        self.asked, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(("GET", self.path))
                url = urllib.parse.urlparse(self.path)
                nonce = urllib.parse.parse_qs(url.query).get("nonce", [""])[0]
                msec = int(time.time() * 1000)
                message = (b"hearth-hello-v1\0" + base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4)) +
                           msec.to_bytes(8, "big") + hashlib.sha256(der(ca_pem)).digest() + hashlib.sha256(der(cert_pem)).digest())
                signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", outer.key], input=message, check=True,
                                           stdout=subprocess.PIPE).stdout
                body = json.dumps({"ca": ca_pem, "server": cert_pem, "timeMsec": msec, "nonce": nonce,
                                   "signature": base64.b64encode(signature).decode()}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                outer.asked.append(("POST", self.path))
                self.send_error(400)

            do_PUT = do_POST

            def log_message(self, *_):
                pass

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.load_cert_chain(folder + "/false.crt", self.key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()


def past_enrolment(line):
    return line["phase"] in ("assignment", "network", "mesh", "k3s")


def enrolled(machine, timeout_sec=240):
    return labs.wait_for("%s to be enrolled" % machine.name, timeout_sec, lambda: past_enrolment(machine.last()))


def refused(c, region, folder, key=None, cert=None, path="/v1/assignment"):
    """What the region answers on a node's route: status and sentence."""
    argv = ["curl", "-sk", "-o", folder + "/answer", "-w", "%{http_code}", "https://127.0.0.1:%d%s" % (region.port, path)]
    if key:
        argv += ["--key", key, "--cert", cert]
    with open(folder + "/answer", "w"):
        pass
    status = subprocess.run(argv, stdout=subprocess.PIPE, check=False, text=True).stdout
    with open(folder + "/answer") as f:
        return status, f.read()


def self_signed(folder, name, key_pem=None):
    key, cert = "%s/%s.key" % (folder, name), "%s/%s.crt" % (folder, name)
    if key_pem:
        with open(key, "w") as f:
            f.write(key_pem)
    else:
        parts.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
    parts.run(["openssl", "req", "-x509", "-key", key, "-out", cert, "-days", "30", "-subj", "/CN=" + name])
    return key, cert


def pem_of(machine, name):
    """A checked file of the identity without its first line."""
    return machine.sh("tail -n +2 /state/hearth/identity/" + name)


def test(c, bin_folder, cache, folder):
    image = parts.image(bin_folder, cache, None, c.say)
    with labs.Site(bin_folder, cache, folder, image) as site:
        region = site.region
        region.init()
        region.start()
        with open(region.dir + "/ca.crt") as f:
            ca = f.read()
        with open(region.seed_path()) as f:
            token_seed = f.read()
        no_token = region.seed()
        wrong_pin = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, token_seed)
        expired = region.admin("token", "--ttl", "1").strip()
        expired_seed = token_seed.replace(re.search(r"hjt_\w+", token_seed).group(0), expired)

        taken = site.guest("taken", 11, token_seed)
        stranger = site.guest("stranger", 12, wrong_pin)
        for machine in (taken, stranger):
            machine.start()
        c.claim("a token in the seed enrols the machine", lambda: enrolled(taken))
        c.claim("wrong pin: said so on the console", lambda: stranger.wait_said("wrong pin", 240))
        c.claim("wrong pin: the region never heard of that machine", region.entry(stranger.serial) is None)
        stranger.power("cut")

        # used token, and a node's certificate as a server
        late = site.guest("late", 13, token_seed)
        late.start()
        c.claim("used token: said so on the console", lambda: late.wait_said("token was used by hzfsnr-k8s-1p", 240))
        code = late.code()
        c.claim("used token: the machine goes on with a code", code is not None)
        c.claim("the region does not show the code before approval", code not in region.admin("list", "--json"))
        key, cert = self_signed(folder, "late", pem_of(late, "node.key"))
        # all it has is its own key: the region signs nothing before a person has said yes
        for path in ("/v1/assignment", "/v1/secrets", "/v1/mesh", "/v2/"):
            status, sentence = refused(c, region, folder, key, cert, path)
            c.claim("an unapproved machine gets nothing at " + path, status == "403" and "not issued by this region" in sentence,
                    (status, sentence))
        status, sentence = refused(c, region, folder)
        c.claim("no certificate: refused", status in ("401", "403") and "certificate" in sentence, (status, sentence))
        status, sentence = refused(c, region, folder, *self_signed(folder, "foreign"))
        c.claim("a foreign certificate: refused", status == "403", (status, sentence))
        for wrong in WRONG:
            c.claim("the wrong code %s does not approve" % wrong, subprocess.run(
                [region.program, "--dir", region.dir, "approve", late.serial, wrong], capture_output=True, check=False).returncode != 0)
        c.claim("after five wrong codes the entry is closed: said so on the console", lambda: late.wait_said("five wrong codes", 60))
        second_code = late.code(150, other_than=code)
        c.claim("the machine starts a new exchange with another code", second_code != code)
        c.claim("the old code is worth nothing", subprocess.run(
            [region.program, "--dir", region.dir, "approve", late.serial, code], capture_output=True, check=False).returncode != 0)
        region.approve(late.serial, second_code)
        c.claim("the right code enrols the machine", lambda: enrolled(late, 120))
        late.power("cut")

        false = FalseRegion(folder, ca, pem_of(taken, "node.crt"), pem_of(taken, "node.key"))
        rerouted = re.sub(r"https://10\.0\.2\.2:\d+", "https://10.0.2.2:%d" % false.port, no_token)
        stranger = site.guest("stranger", 12, rerouted)
        stranger.start()
        c.claim("a node's certificate used as a server: said so on the console",
                lambda: stranger.wait_said("certificate is not a server's", 240))
        c.claim("nothing but hello was sent to it", false.asked and all(
            method == "GET" and path.startswith("/v1/hello") for method, path in false.asked), false.asked)
        stranger.power("cut")
        false.stop()

        # both causes mended: the same machines go on
        stranger = site.guest("stranger", 12, no_token)
        expiree = site.guest("expiree", 14, expired_seed)
        stranger.start()
        expiree.start()
        c.claim("the machine with the mended seed waits for a person", lambda: stranger.code(240))
        c.claim("expired token: said so on the console", lambda: expiree.wait_said("token expired at", 240))
        c.claim("expired token: the machine goes on with a code", lambda: expiree.code())
        region.approve(expiree.serial, expiree.code())
        c.claim("expired token: approved by its code", lambda: enrolled(expiree, 120))
        region.admin("deny", stranger.serial)
        c.claim("denied: said so on the console", lambda: stranger.wait_said("denied this machine", 120))

        # revoked: no new thing, and a warning
        region.admin("revoke", "hzfsnr-k8s-1p")
        key, cert = folder + "/taken.key", folder + "/taken.crt"
        for path, name in ((key, "node.key"), (cert, "node.crt")):
            with open(path, "w") as f:
                f.write(pem_of(taken, name))
        status, sentence = refused(c, region, folder, key, cert)
        c.claim("a revoked node is refused", status == "403" and "revoked" in sentence, (status, sentence))
        c.claim("revoked: the node says so", lambda: labs.wait_for("the warning", 120, lambda: any(
            "revoked" in w for w in taken.status()["warnings"])), lambda: taken.status())


checks.main("enrol", test)
