"""A Kubernetes API of a few kinds that fails when it is told to: cut watches, forgotten versions, lost races.

The sandbox's own server is too well-behaved for these tests. This one knows lists, watches, optimistic locking, status
subresources and the graceful deletion of pods, and nothing of schemas.
"""

import asyncio
import itertools
from contextlib import asynccontextmanager

import anyio
import orjson
from aiohttp import web


class ApiServer:
    def __init__(self):
        self.objects = {}
        self.history = []
        self.oldest = 0
        self.versions = itertools.count(1)
        self.latest = 0
        self.watches = set()
        self.changed = asyncio.Event()
        self.calls = []
        self.before_write = None

    @asynccontextmanager
    async def serve(self):
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def until(self, condition):
        """Wait until a synchronous condition on this server holds, and give what it gives."""
        with anyio.fail_after(60):
            while not (found := condition()):
                await self.changed.wait()
            return found

    def cut_watches(self):
        """Break all connections of watches off."""
        for transport in self.watches:
            transport.abort()

    def forget_history(self):
        """Answer 410 to whoever watches from a version before this moment."""
        self.history.clear()
        self.oldest = self.latest + 1
        self.latest = next(self.versions)

    def find(self, plural, name=None):
        found = [obj for (kind, _, _), obj in self.objects.items() if kind == plural]
        return found if name is None else next((o for o in found if o["metadata"]["name"] == name), None)

    def store(self, plural, obj):
        """Write without asking, as another client would."""
        meta = obj["metadata"]
        key = (plural, meta.setdefault("namespace", "default"), meta["name"])
        before = self.objects.get(key)
        self.latest = next(self.versions)
        if before is None:
            meta |= {"uid": f"uid-{self.latest}", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1}
        obj = {**obj, "metadata": {**meta, "resourceVersion": str(self.latest)}}
        if (
            meta.get("deletionTimestamp")
            and not meta.get("finalizers")
            and meta.get("deletionGracePeriodSeconds") in (None, 0)
        ):
            self.objects.pop(key, None)
            self._emit("DELETED", plural, obj)
        else:
            self.objects[key] = obj
            self._emit("ADDED" if before is None else "MODIFIED", plural, obj)
        return obj

    def delete(self, plural, name, *, finalizer=None, grace=None):
        obj = self.find(plural, name)
        meta = {**obj["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        if finalizer:
            meta["finalizers"] = [finalizer]
        if plural == "pods":
            meta["deletionGracePeriodSeconds"] = 30 if grace is None else grace
        return self.store(plural, {**obj, "metadata": meta})

    def _emit(self, kind, plural, obj):
        self.history.append((self.latest, plural, {"type": kind, "object": obj}))
        self._signal()

    def _signal(self):
        self.changed.set()
        self.changed = asyncio.Event()

    async def _handle(self, request):
        parts = request.path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        plural, name, subresource = [*parts, "", ""][:3]
        self.calls.append((request.method, plural, name))
        self._signal()
        if request.query.get("watch"):
            return await self._watch(request, plural)
        if request.method == "GET":
            return self._read(plural, namespace, name)
        if self.before_write is not None:
            self.before_write(request.method, plural, name)
        body = orjson.loads(await request.read())
        return self._write(request.method, (plural, namespace, name), subresource, body)

    def _read(self, plural, namespace, name):
        if not name:
            return answer({"metadata": {"resourceVersion": str(self.latest)}, "items": self.find(plural)})
        found = self.objects.get((plural, namespace, name))
        return failure(404, "NotFound") if found is None else answer(found)

    def _write(self, method, key, subresource, body):
        plural, namespace, name = key
        if method == "POST":
            if (plural, namespace, body["metadata"]["name"]) in self.objects:
                return failure(409, "AlreadyExists")
            return answer(self.store(plural, body), 201)
        found = self.objects.get(key)
        if found is None:
            return failure(404, "NotFound")
        given, held = body["metadata"] if method == "PUT" else body["preconditions"], found["metadata"]
        if any(given[field] != held[field] for field in ("uid", "resourceVersion") if field in given):
            return failure(409, "Conflict")
        if method == "DELETE":
            left = self.delete(plural, name, grace=body.get("gracePeriodSeconds"))
            return answer({**left, "kind": "Pod"} if plural == "pods" else {"kind": "Status", "status": "Success"})
        if subresource == "status":
            return answer(self.store(plural, {**found, "status": body["status"]}))
        return answer(self.store(plural, {**body, "status": found.get("status", {})}))

    async def _watch(self, request, plural):
        version = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        transport = request.transport
        self.watches.add(transport)
        try:
            while True:
                changed = self.changed
                if version < self.oldest:
                    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
                    await response.write(orjson.dumps({"type": "ERROR", "object": status}) + b"\n")
                    return response
                for at, kind, event in list(self.history):
                    if at > version and kind == plural:
                        await response.write(orjson.dumps(event) + b"\n")
                version = max(version, self.latest)
                await changed.wait()
        finally:
            self.watches.discard(transport)


def answer(obj, status=200):
    return web.Response(body=orjson.dumps(obj), status=status, content_type="application/json")


def failure(code, reason):
    return answer({"kind": "Status", "code": code, "reason": reason, "message": reason}, code)
