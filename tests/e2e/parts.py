# What the demo and the e2e tests boot and serve: payload, image, the signed bootstrap artifact and the workload's
# container image, in an OCI layout. Everything slow is kept in the cache, by content.
# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

import yaml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
K3S_VERSION = "v1.34.1+k3s1"
K3S_URL = "https://github.com/k3s-io/k3s/releases/download/" + K3S_VERSION.replace("+", "%2B") + "/"


class Problem(Exception):
    """What went wrong, in one sentence for a person."""


def run(argv, say=None, **more):
    """Run a program to its end; its own words become the Problem."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Problem("%s ended with %d: %s" % (" ".join(argv[:3]), done.returncode, "; ".join(words[-4:])))
    return done.stdout


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def key_of(paths):
    """A name for the content of files and folders: names, modes, links and bytes."""
    whole = hashlib.sha256()
    for path in paths:
        files = [path]
        if os.path.isdir(path):
            files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        for file in files:
            whole.update(("%s\0%o\0" % (os.path.relpath(file, TOP), os.lstat(file).st_mode)).encode())
            if os.path.islink(file):
                whole.update(os.readlink(file).encode())
                continue
            with open(file, "rb") as f:
                whole.update(hashlib.file_digest(f, "sha256").digest())
    return whole.hexdigest()[:16]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- payload and image ---------------------------------------------------------------------------------------------

def k3s_release(cache, say):
    """The official K3s release, when it can be reached: its path in the cache, or None."""
    folder = os.path.join(cache, "k3s-release", K3S_VERSION)
    binary = os.path.join(folder, "k3s")
    if os.path.exists(binary):
        return binary
    try:
        with urllib.request.urlopen(K3S_URL + "sha256sum-amd64.txt", timeout=5) as answer:
            sums = dict(reversed(line.split(None, 1)) for line in answer.read().decode().splitlines() if line.strip())
    except (OSError, ValueError, UnicodeDecodeError):
        return None
    say("fetching the K3s release " + K3S_VERSION)
    os.makedirs(folder, exist_ok=True)
    whole = hashlib.sha256()
    try:
        with urllib.request.urlopen(K3S_URL + "k3s", timeout=60) as answer, open(binary + ".part", "wb") as f:
            while chunk := answer.read(1 << 20):
                whole.update(chunk)
                f.write(chunk)
    except OSError as e:
        say("the K3s release stopped coming (%s)" % e)
        return None
    if whole.hexdigest() != sums.get("k3s", "").strip():
        raise Problem("the K3s release does not have the SHA-256 that its publisher names")
    os.chmod(binary + ".part", 0o755)
    os.rename(binary + ".part", binary)
    forget_old(os.path.dirname(folder), keep=2)
    return binary


def payload(bin_folder, cache, k3s, say):
    """The payload folder and, in plain words, what Kubernetes it holds."""
    k3s = k3s or k3s_release(cache, say)
    if k3s:
        folder = os.path.join(cache, "k3s-payload-" + key_of([k3s]))
        if not os.path.exists(os.path.join(folder, "payload.json")):
            shutil.rmtree(folder, ignore_errors=True)
            run([bin_folder + "/hearth-image", "payload", "--out", folder, "--k3s", k3s])
        os.utime(folder)
        forget_old(cache, keep=3, kind="k3s-payload-")
    else:
        say("the K3s release cannot be reached from here: using the double, upstream Kubernetes behind K3s' interface")
        with subprocess.Popen([TOP + "/tests/k3s-double/build"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env=dict(os.environ, HEARTH_CACHE=cache), text=True) as build:
            folder = build.stdout.read().strip()
        if build.returncode != 0:
            raise Problem("the double of K3s could not be built (its words are above)")
    with open(folder + "/payload.json") as f:
        return folder, json.load(f)["kubernetes"]


def image(bin_folder, cache, payload_folder, say, recipe="lab", overlay=None):
    """The image of a recipe with a payload: its folder, built when something that goes into it has changed."""
    programs = [bin_folder + "/" + name for name in sorted(os.listdir(bin_folder)) if name.startswith("hearth")]
    inputs = programs + [TOP + "/image/recipes", TOP + "/overlays"] + ([payload_folder] if payload_folder else [])
    folder = os.path.join(cache, "images", recipe + "-" + key_of(inputs))
    if not os.path.exists(folder + "/SHA256SUMS"):
        say("building the image (about a minute the first time)")
        forget_old(os.path.dirname(folder), keep=3)
        argv = [bin_folder + "/hearth-image", "build", TOP + "/image/recipes/" + recipe + ".yaml", "--out", folder]
        if payload_folder:
            argv += ["--payload", payload_folder]
        run(argv, env=dict(os.environ, HEARTH_CACHE=cache))
    os.utime(folder)
    return folder


def forget_old(folder, keep, kind=""):
    """Of the folders in it whose names begin with kind, only the last used stay."""
    if not os.path.isdir(folder):
        return
    old = sorted((os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(kind)),
                 key=os.path.getmtime, reverse=True)
    for path in old[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def image_facts(folder):
    def size(path):
        return os.path.getsize(path)
    with open(folder + "/image.json") as f:
        facts = json.load(f)
    root = folder + "/root-" + facts["rootSha256"] + ".erofs"
    return {"iso_bytes": size(folder + "/hearth.iso"), "stage1_bytes": size(folder + "/stage1.img"),
            "kernel_bytes": size(folder + "/vmlinuz"), "root_bytes": size(root), "payload_bytes": facts["payloadBytes"]}


# ---- OCI -----------------------------------------------------------------------------------------------------------

class Layout:
    """An OCI layout folder with many repositories, the way Hearth's registry reads it (base/oci.h)."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder + "/blobs/sha256", exist_ok=True)
        if not os.path.exists(folder + "/oci-layout"):
            self._write("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            self._write("index.json", json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode())

    def _write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.rename(path + ".new", path)

    def index(self):
        with open(self.folder + "/index.json") as f:
            return json.load(f)

    def blob(self, digest):
        with open(self.folder + "/blobs/sha256/" + digest.split(":")[1], "rb") as f:
            return f.read()

    def add(self, data):
        digest = digest_of(data)
        self._write("blobs/sha256/" + digest.split(":")[1], data)
        return digest

    def tag(self, name, tag, digest, size, media_type=MANIFEST):
        index, ref = self.index(), name + ":" + tag
        kept = [m for m in index["manifests"] if m.get("annotations", {}).get("org.opencontainers.image.ref.name") != ref]
        kept.append({"mediaType": media_type, "digest": digest, "size": size,
                     "annotations": {"org.opencontainers.image.ref.name": ref}})
        index["manifests"] = kept
        self._write("index.json", json.dumps(index).encode())

    def add_manifest(self, name, tag, manifest):
        data = json.dumps(manifest).encode() if isinstance(manifest, dict) else manifest
        digest = self.add(data)
        self.tag(name, tag, digest, len(data))
        return digest

    def add_container(self, name, tag, program, user="65534:65534"):
        """A container image with one static program."""
        out = io.BytesIO()
        base = os.path.basename(program)
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive, open(program, "rb") as f:
            entry = tarfile.TarInfo(base)
            entry.size, entry.mode = os.path.getsize(program), 0o755
            archive.addfile(entry, f)
        layer = out.getvalue()
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": ["/" + base], "User": user},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}, sort_keys=True).encode()
        return self.add_manifest(name, tag, {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.add(config), "size": len(config)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": self.add(layer), "size": len(layer)}]})


class Registry:
    """Debian's docker-registry on loopback: what cosign signs in, and a registry that is not the region."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        os.makedirs(folder, exist_ok=True)
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as f:
            json.dump({"version": 0.1, "log": {"level": "error"}, "http": {"addr": "127.0.0.1:%d" % self.port},
                       "storage": {"filesystem": {"rootdirectory": folder + "/data"}}}, f)
        self.log = open(folder + "/log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        deadline = time.monotonic() + 20
        while True:
            try:
                return self._get("/v2/", None) and None
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Problem("docker-registry does not answer; its log is " + folder + "/log") from None
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def _get(self, path, accept):
        request = urllib.request.Request(self.url + path, headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def _put(self, url, data, media_type, method="PUT"):
        request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": media_type})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers

    def push(self, layout, name, tag, digest):
        """One manifest with its blobs, as it is."""
        data = layout.blob(digest)
        manifest = json.loads(data)
        for part in [manifest["config"]] + manifest["layers"]:
            where = self._put(self.url + "/v2/" + name + "/blobs/uploads/", b"", "application/octet-stream", "POST")["Location"]
            joint = "&" if "?" in where else "?"
            self._put(where + joint + "digest=" + part["digest"], layout.blob(part["digest"]), "application/octet-stream")
        self._put(self.url + "/v2/" + name + "/manifests/" + tag, data, manifest.get("mediaType", MANIFEST))

    def pull(self, layout, name, tag):
        data = self._get("/v2/" + name + "/manifests/" + tag, MANIFEST)
        for part in [json.loads(data)["config"]] + json.loads(data)["layers"]:
            blob = self._get("/v2/" + name + "/blobs/" + part["digest"], None)
            if layout.add(blob) != part["digest"]:
                raise Problem("the registry changed the blob " + part["digest"])
        return layout.add_manifest(name, tag, data)


def cosign(argv, home):
    # the transparency log is for the public world: a site's own key needs none, and may have no internet
    env = {"PATH": os.environ["PATH"], "HOME": home, "COSIGN_PASSWORD": "", "TUF_ROOT": home, "SIGSTORE_NO_CACHE": "true"}
    return run(["cosign"] + argv, cwd=home, env=env)


def signing_key(folder):
    """A cosign key pair in the folder: cosign.key, cosign.pub."""
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(folder + "/cosign.pub"):
        cosign(["generate-key-pair"], folder)
    return folder + "/cosign.pub"


def sign(layout, name, tag, digest, key_folder):
    """Sign a manifest of the layout with Debian's cosign; the signature lies beside it under cosign's own tag."""
    with tempfile.TemporaryDirectory() as folder, Registry(folder) as registry:
        registry.push(layout, name, tag, digest)
        reference = "127.0.0.1:%d/%s@%s" % (registry.port, name, digest)
        cosign(["sign", "--tlog-upload=false", "--allow-http-registry", "--yes", "--key", key_folder + "/cosign.key", reference],
               key_folder)
        cosign(["verify", "--insecure-ignore-tlog=true", "--allow-http-registry", "--key", key_folder + "/cosign.pub", reference],
               key_folder)
        registry.pull(layout, name, digest.replace(":", "-") + ".sig")


# ---- bootstrap -----------------------------------------------------------------------------------------------------

def workload(layout, folder, name="web", user="65534:65534"):
    """One of our own static programs as a container image hearth/NAME:demo."""
    program = os.path.join(folder, name)
    run(["gcc", "-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-o", program,
         TOP + "/tests/e2e/workload/" + name + ".c"])
    return layout.add_container("hearth/" + name, "demo", program, user)


def bootstrap(bin_folder, layout, folder=None, tag="demo"):
    """The artifact with the stage folders, unsigned: its digest."""
    out = run([bin_folder + "/hearth-image", "bootstrap", folder or TOP + "/tests/e2e/bootstrap", "--layout", layout.folder,
               "--name", "hearth/bootstrap", "--tag", tag, "--created", "0"])
    for word in out.split():
        if word.startswith("sha256:"):
            return word
    raise Problem("hearth-image bootstrap names no digest")


# ---- Flux ----------------------------------------------------------------------------------------------------------

FLUX_NAMESPACE = "flux-system"


def flux_programs(cache):
    """The folder of tests/flux-source/build: kustomize-controller, flux-source, their manifests and the Gateway API's."""
    with subprocess.Popen([TOP + "/tests/flux-source/build"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          env=dict(os.environ, HEARTH_CACHE=cache), text=True) as build:
        folder = build.stdout.read().strip()
    if build.returncode != 0:
        raise Problem("Flux could not be built (its words are above)")
    return folder


def flux_controller(programs, version):
    """The module's own Deployment and RBAC of kustomize-controller, as `flux install` would place them in flux-system."""
    with open(programs + "/rbac.yaml") as f:
        objects = [o for o in yaml.safe_load_all(f) if o]
    names = {o["metadata"]["name"] for o in objects}
    for o in objects:
        o["metadata"]["name"] = "kustomize-" + o["metadata"]["name"]
        if o["kind"] in ("Role", "RoleBinding"):
            o["metadata"]["namespace"] = FLUX_NAMESPACE
        if o.get("roleRef", {}).get("name") in names:
            o["roleRef"]["name"] = "kustomize-" + o["roleRef"]["name"]
        for subject in o.get("subjects", []):
            subject.update(name="kustomize-controller", namespace=FLUX_NAMESPACE)
    with open(programs + "/deployment.yaml") as f:
        deployment = yaml.safe_load(f)
    deployment["metadata"]["namespace"] = FLUX_NAMESPACE
    pod = deployment["spec"]["template"]["spec"]
    pod.update(serviceAccountName="kustomize-controller", priorityClassName="system-cluster-critical")
    manager = pod["containers"][0]
    manager["image"] = "registry.hearth.internal/hearth/kustomize-controller:" + version
    # One replica, so no election that a restart would have to wait out; artifacts of the stand-in; a dependency is looked
    # at again soon.
    manager["args"] = [a for a in manager["args"] if "leader-election" not in a] + [
        "--feature-gates=ExternalArtifact=true", "--requeue-dependency=5s"]
    for probe in ("livenessProbe", "readinessProbe"):  # an emulated machine takes its time
        manager[probe].update(timeoutSeconds=10, periodSeconds=5, failureThreshold=30)
    account = {"apiVersion": "v1", "kind": "ServiceAccount",
               "metadata": {"name": "kustomize-controller", "namespace": FLUX_NAMESPACE}}
    return [account] + objects + [deployment]


def flux_tree(name, files):
    """A tree of files ({path: text}) as the ConfigMap that the stand-in makes an artifact of."""
    return {"apiVersion": "v1", "kind": "ConfigMap",
            # what stands in it is for Flux to substitute
            "metadata": {"name": name, "namespace": FLUX_NAMESPACE,
                         "annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}},
            "data": {path.replace("/", "__"): text for path, text in files.items()}}


def files_below(folder):
    """{path below folder: text}"""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name)) as f:
                found[os.path.relpath(os.path.join(where, name), folder)] = f.read()
    return found


def flux_bootstrap(cache, layout, folder, base=None, sync=None, tree=None):
    """A bootstrap folder with the real CRDs of the Gateway API whose platform is reconciled by the real kustomize-controller;
    for any site with this layout: site.publish(parts.flux_bootstrap(site.cache, site.layout, site.folder + "/stages")).

    base: the stages before Flux. sync: what lies in 50-sync instead of tests/e2e/flux/50-sync. tree: {path: text} of the
    artifact "platform"; without one it is tests/e2e/flux/tree, and what base has in 50-sync is its apps/. The container
    images go into the layout."""
    base = base or TOP + "/tests/e2e/bootstrap"
    programs = flux_programs(cache)
    with open(programs + "/done") as f:
        version = f.read().strip()
    layout.add_container("hearth/kustomize-controller", version, programs + "/kustomize-controller")
    layout.add_container("hearth/flux-source", "demo", programs + "/flux-source")
    if tree is None:
        tree = files_below(TOP + "/tests/e2e/flux/tree")
        tree.update({"apps/" + path: text for path, text in files_below(base + "/50-sync").items()})
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("50-sync"))
    shutil.copytree(TOP + "/tests/e2e/flux/30-flux", folder + "/30-flux", dirs_exist_ok=True)
    shutil.copytree(sync or TOP + "/tests/e2e/flux/50-sync", folder + "/50-sync")
    for source, to in (("manifests", "30-flux/crd-"), ("gateway-api", "10-crds/gateway-")):
        for name in sorted(os.listdir(os.path.join(programs, source))):  # GROUP_PLURAL.yaml
            shutil.copy(os.path.join(programs, source, name), os.path.join(folder, to + name.split("_")[1]))

    def put(path, objects):
        with open(os.path.join(folder, path), "w") as f:
            yaml.safe_dump_all(objects, f, sort_keys=False)
    put("30-flux/a-namespace.yaml", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FLUX_NAMESPACE}}])
    put("30-flux/kustomize-controller.yaml", flux_controller(programs, version))
    put("50-sync/a-tree.yaml", [flux_tree("platform-tree", tree)])
    return folder


def payload_artifact(bin_folder, layout, image_folder):
    """The image's payload file as an artifact that nodes without a medium fetch: its digest."""
    with open(image_folder + "/image.json") as f:
        sha = json.load(f)["payloadSha256"]
    out = run([bin_folder + "/hearth-image", "layout-add", image_folder + "/payload-" + sha + ".erofs", "--layout", layout.folder,
               "--name", "hearth/payload", "--tag", sha[:12]])
    for word in out.split():
        if word.startswith("sha256:"):
            return word
    raise Problem("hearth-image layout-add names no digest")
