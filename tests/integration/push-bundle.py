#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sign a manifest as a Sigstore bundle v0.3 and push it as an OCI 1.1 referrer with the fallback tag.

push-bundle.py REGISTRY REPOSITORY DIGEST KEY.pem CA.crt
"""
import base64
import hashlib
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

registry, repository, digest, key, ca = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def call(method, path, body=None, content_type="application/octet-stream"):
    url = path if path.startswith("https://") else registry + path
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": content_type,
                                                                            "Accept": f"{MANIFEST}, {INDEX}"})
    return urllib.request.urlopen(request, context=context)


def name(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push_blob(data):
    location = call("POST", f"/v2/{repository}/blobs/uploads/", b"").headers["Location"]
    call("PUT", location + ("&" if "?" in location else "?") + "digest=" + name(data), data)
    return name(data)


statement = json.dumps({
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": repository, "digest": {"sha256": digest[7:]}}],
    "predicateType": "https://sigstore.dev/cosign/sign/v1",
    "predicate": {},
}).encode()
kind = "application/vnd.in-toto+json"
signed = f"DSSEv1 {len(kind)} {kind} {len(statement)} ".encode() + statement
signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed, stdout=subprocess.PIPE,
                           check=True).stdout
bundle = json.dumps({
    "mediaType": BUNDLE,
    "verificationMaterial": {"publicKey": {"hint": ""}},
    "dsseEnvelope": {"payload": base64.b64encode(statement).decode(), "payloadType": kind,
                     "signatures": [{"sig": base64.b64encode(signature).decode()}]},
}).encode()
config = b"{}"
push_blob(config)
push_blob(bundle)
with call("GET", f"/v2/{repository}/manifests/{digest}") as answer:
    size = len(answer.read())
manifest = json.dumps({
    "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE,
    "config": {"mediaType": EMPTY, "digest": name(config), "size": len(config)},
    "layers": [{"mediaType": BUNDLE, "digest": name(bundle), "size": len(bundle)}],
    "subject": {"mediaType": MANIFEST, "digest": digest, "size": size},
}).encode()
call("PUT", f"/v2/{repository}/manifests/{name(manifest)}", manifest, MANIFEST)
entry = {"mediaType": MANIFEST, "digest": name(manifest), "size": len(manifest), "artifactType": BUNDLE}
tag = f"/v2/{repository}/manifests/sha256-{digest[7:]}"
try:
    with call("GET", tag) as answer:
        entries = json.load(answer)["manifests"]
except urllib.error.HTTPError:
    entries = []
index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries + [entry]}).encode()
call("PUT", tag, index, INDEX)
