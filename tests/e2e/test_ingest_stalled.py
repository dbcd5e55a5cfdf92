"""The built-in rule about senders that fall silent: whoever was heard of and is not any more is told to a receiver, each signal for itself, and
that it is over when data comes again."""

import http.server
import threading

import pytest
import requests
from alert_world import Hook, Queue
from server import until


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.stop()


class Page:
    """A target that is scraped."""

    def __init__(self, port=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = b"shop_orders_total 1\n"
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Shipper(threading.Thread):
    """Sends lines all the time."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.stopped = server, threading.Event()

    def run(self):
        while not self.stopped.wait(0.5):
            requests.post(f"{self.server.http}/api/v1/logs/json", json={"message": "still here", "service": "shop"}, timeout=60)

    def stop(self):
        self.stopped.set()
        self.join()


def stalls(hook):
    """What was told: of which signal, and whether it fires."""
    alerts = [alert for post in hook.posts for alert in post["alerts"] if alert["labels"]["alertname"] == "SignalboxIngestStalled"]
    return [(alert["labels"]["signal"], alert["status"]) for alert in alerts]


def active(server):
    return {alert["labels"]["signal"] for alert in server.json("/api/v1/alerts")["data"]["alerts"] if alert["labels"]["alertname"] == "SignalboxIngestStalled"}


def configuration(hook):
    return {
        "telemetry": {"metrics_interval_seconds": 1},
        "alert": {"builtin": {"stalled_after_seconds": 5}, "group_wait_seconds": 0, "group_interval_seconds": 1, "repeat_interval_seconds": 3600},
        "notify": {"receivers": [{"name": "people", "webhook": {"url": hook.url}}], "internal_networks": ["127.0.0.0/8"]},
    }


def received(server, signal):
    """What came so far, as the server's own metrics say."""
    found = server.query(f'sum(signalbox_receive_rows_total{{signal="{signal}"}})')
    return float(found[0]["value"][1]) if found else 0


def test_clients_that_stop_sending_are_told_of_and_that_they_came_back(servers, hook):
    server = servers(config=configuration(hook)).start()
    queue, shipper = Queue(server), Shipper(server)
    queue.start()
    shipper.start()
    until(lambda: received(server, "metrics") > 6 and received(server, "logs") > 6, "both signals in the server's own metrics")
    assert stalls(hook) == [] and active(server) == set()
    queue.stop()
    until(lambda: ("metrics", "firing") in stalls(hook), "the word that metrics stalled")
    assert stalls(hook) == [("metrics", "firing")] and active(server) == {"metrics"}, "logs go on"

    queue = Queue(server)
    queue.start()
    until(lambda: ("metrics", "resolved") in stalls(hook), "the word that metrics are back")
    assert stalls(hook) == [("metrics", "firing"), ("metrics", "resolved")] and active(server) == set()
    queue.stop()
    shipper.stop()


def test_a_target_that_cannot_be_scraped_any_more_is_told_of(servers, hook, tmp_path):
    page = Page()
    file = tmp_path / "prometheus.yml"
    file.write_text(f"scrape_configs: [{{job_name: shop, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{page.port}']}}]}}]\n")
    server = servers(config=configuration(hook) | {"scrape": {"config_file": str(file)}}).start()
    until(lambda: server.query("signalbox_scrape_samples_total > 4"), "scrapes in the server's own metrics")
    page.stop()
    until(lambda: ("scraped metrics", "firing") in stalls(hook), "the word that nothing can be scraped")
    again = Page(page.port)
    until(lambda: ("scraped metrics", "resolved") in stalls(hook), "the word that it can again")
    assert stalls(hook) == [("scraped metrics", "firing"), ("scraped metrics", "resolved")]
    again.stop()
