"""A target whose page the test gives: text, OpenMetrics or protobuf, with or without TLS and a password."""

import base64
import http.server
import ssl
import struct
import subprocess
import threading

TEXT = "text/plain; version=0.0.4"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


class Target:
    """Serves one page on a free port; remembers the headers of the last request."""

    def __init__(self, page, content_type=TEXT, password=None, certificate=None):
        self.page, self.content_type, self.headers, self.is_stopped = page, content_type, {}, False
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if target.is_stopped:
                    # A connection that was kept open ends too.
                    self.close_connection = True
                    return
                target.headers = self.headers
                wanted = None if password is None else "Basic " + base64.b64encode(password.encode()).decode()
                is_allowed = wanted is None or self.headers.get("Authorization") == wanted
                body = target.page if isinstance(target.page, bytes) else target.page.encode()
                self.send_response(200 if is_allowed else 401)
                self.send_header("Content-Type", target.content_type)
                self.send_header("Content-Length", str(len(body) if is_allowed else 0))
                self.end_headers()
                if is_allowed:
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.is_stopped:
            return
        self.is_stopped = True
        self.server.shutdown()
        self.server.server_close()


def certificate(folder):
    """Paths of a certificate for this machine, which is its own authority, and of its key."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key, "-out", cert]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    return cert, key


# Protobuf by hand: as much as a page needs.


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def zigzag(number):
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


def block(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def number(field, value):
    return varint(field << 3) + varint(value)


def double(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


def native_histogram(name, count, total, schema, offset, deltas):
    """A page with one native histogram that has one run of positive buckets."""
    span = varint(1 << 3) + zigzag(offset) + number(2, len(deltas))
    histogram = number(1, count) + double(2, total) + varint(5 << 3) + zigzag(schema) + double(6, 0.001) + block(12, span)
    histogram += block(13, b"".join(zigzag(delta) for delta in deltas))
    family = block(1, name.encode()) + number(3, 4) + block(4, block(7, histogram))
    return varint(len(family)) + family
