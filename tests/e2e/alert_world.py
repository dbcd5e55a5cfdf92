"""What the tests of alerts share: something to be alerted about, and somebody to be told."""

import http.server
import json
import threading
import time

import remote_write


class Hook:
    """A receiver of webhooks that keeps what it takes, after it has refused as often as told."""

    def __init__(self, refusals=0):
        self.posts = []
        self.refusals = refusals
        self.heard_at = time.monotonic()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.heard_at = time.monotonic()
                if hook.refusals:
                    hook.refusals -= 1
                    status, answer = 503, b"come back later"
                else:
                    hook.posts.append(json.loads(body))
                    status, answer = 200, b"thank you"
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def quiet_seconds(self):
        """Since when nobody said anything."""
        return time.monotonic() - self.heard_at

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Queue(threading.Thread):
    """Sends the depth of the queue twice a second, as a scraper would."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.depth = 3.0
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(0.5):
            series = [({"__name__": "shop_queue_depth", "job": "shop", "instance": "a:1"}, [(self.depth, int(time.time() * 1000))])]
            try:
                remote_write.post(self.server.http, remote_write.v1(series))
            except Exception:
                continue  # the server is being killed

    def stop(self):
        self.stopped.set()
        self.join(60)
