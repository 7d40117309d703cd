"""What the Docker Engine says while something is measured, with its own times."""

import http.client
import json
import socket
import threading
import urllib.parse

SOCKET = "/var/run/docker.sock"


class _EngineConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


class EngineEvents:
    """Collects container events with certain labels, from entering to leaving."""

    def __init__(self, label):
        self.label = label
        self.events = []  # (seconds since 1970, what, container id, its name)

    def __enter__(self):
        filters = urllib.parse.quote(json.dumps({"type": ["container"], "label": [self.label]}))
        self.connection = _EngineConnection("engine")
        self.connection.connect()
        self.socket = self.connection.sock  # the connection lets go of it when the answer has no length
        self.connection.request("GET", f"/events?filters={filters}")
        # The engine sends the head at once: from here on nothing is missed.
        self.response = self.connection.getresponse()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()

    def _read(self):
        try:
            for line in self.response:
                event = json.loads(line)
                actor = event["Actor"]
                self.events.append((event["timeNano"] / 1e9, event["Action"], actor["ID"], actor["Attributes"].get("name", "")))
        except (OSError, ValueError, http.client.HTTPException):
            return  # closed by __exit__
