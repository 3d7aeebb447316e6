"""What a client of Hugging Face needs of it, on the loopback."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeHub(BaseHTTPRequestHandler):
    """Keeps what is committed in `server.files`, and says yes to everything but what `server.refuses` begins."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith(self.server.refuses or "nothing"):
            return self._say({"error": "You don't have the rights to create a model under this namespace"}, 403)
        if self.path == "/api/repos/create":
            self.server.made = json.loads(body)
            name = f"{self.server.made['organization']}/{self.server.made['name']}"
            return self._say({"url": f"http://127.0.0.1:{self.server.server_port}/{name}", "name": name})
        if "/preupload/" in self.path:
            given = json.loads(body)["files"]
            told = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in given]
            return self._say({"files": told})
        if "/commit/" in self.path:
            for line in body.splitlines():
                said = json.loads(line)
                if said["key"] == "file":
                    self.server.files[said["value"]["path"]] = base64.b64decode(said["value"]["content"])
            url = f"http://127.0.0.1:{self.server.server_port}/me/art/commit/{'0' * 40}"
            return self._say({"success": True, "commitOid": "0" * 40, "commitUrl": url})
        return self._say({"errors": [], "warnings": []})

    def _say(self, found: object, status: int = 200) -> None:
        content = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if "/revision/" in self.path and self.server.made:  # what older clients ask before they push
            return self._say({"id": "me/art", "sha": "0" * 40, "siblings": [], "tags": [], "private": True})
        return self._say({"error": "Repository not found"}, 404)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def fake_hub(refuses: str = "") -> Iterator[ThreadingHTTPServer]:
    """A server whose `files`, `made` (what a repository was made with) and `asked` (path, authorisation) tell of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    server.files, server.made, server.asked, server.refuses = {}, {}, [], refuses
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
