"""Rules side by side: see README.md. Ten thousand rules of one file over data set M1, both at once, beside the same clock."""

import json
import pathlib
import subprocess
import time

import side_by_side
from peers import Prometheus, Signalbox

STEP = 15
INTERVAL = 30
# Samples from ten minutes ago until almost ten minutes from now: nothing is sent while rules are evaluated.
PAST_STEPS, STEPS = 40, 78


def rules_of_service(service):
    """Expressions of a service: rates of errors, latencies, containers and processes over three ranges against four thresholds."""
    of = f'service="{service}"'
    for span in ("1m", "2m", "5m"):
        requests = f'http_requests_total{{{of}}}[{span}]'
        for quantile in ("0.5", "0.9", "0.99"):
            latency = f'histogram_quantile({quantile}, sum by (le) (rate(http_request_duration_seconds_bucket{{{of}}}[{span}])))'
            yield from (f"{latency} > {bound}" for bound in (0.1, 0.25, 0.5, 1))
        errors = f'sum by (route) (rate(http_requests_total{{{of},code=~"5.."}}[{span}])) / sum by (route) (rate({requests}))'
        yield from (f"{errors} > {bound}" for bound in (0.01, 0.05, 0.1, 0.5))
        yield from (f"sum by (pod) (rate({requests})) < {bound}" for bound in (0.001, 0.01, 0.1, 1))
        yield from (f"sum(rate({requests})) < {bound}" for bound in (0.001, 0.01, 0.1, 1))
        cpu = f'rate(container_cpu_usage_seconds_total{{container="{service}"}}[{span}])'
        yield from (f"sum by (pod) ({cpu}) > {bound}" for bound in (0.5, 1, 2, 4))
        throttled = f'rate(container_cpu_cfs_throttled_periods_total{{container="{service}"}}[{span}]) / rate(container_cpu_cfs_periods_total{{container="{service}"}}[{span}])'
        yield from (f"{throttled} > {bound}" for bound in (0.1, 0.25, 0.5, 0.9))
    for name in ("go_goroutines", "go_memstats_heap_alloc_bytes", "process_resident_memory_bytes", "process_open_fds"):
        yield from (f"max by (pod) ({name}{{{of}}}) > {bound}" for bound in (1e9, 2e9, 4e9, 8e9))
        yield from (f"avg_over_time({name}{{{of}}}[5m]) > {bound}" for bound in (1e9, 2e9, 4e9, 8e9))
    used = f'container_memory_working_set_bytes{{container="{service}"}} / container_spec_memory_limit_bytes{{container="{service}"}}'
    yield from (f"{used} > {bound}" for bound in (0.8, 0.9, 0.95, 0.99))


def rules_of_machine(instance):
    """Expressions of a machine."""
    of = f'instance="{instance}"'
    for span in ("1m", "2m", "5m"):
        busy = f'1 - avg(rate(node_cpu_seconds_total{{{of},mode="idle"}}[{span}]))'
        yield from (f"{busy} > {bound}" for bound in (0.8, 0.9, 0.95, 0.99))
        for direction in ("receive", "transmit"):
            errors = f'sum by (device) (rate(node_network_{direction}_errs_total{{{of}}}[{span}]))'
            yield from (f"{errors} > {bound}" for bound in (0.1, 1, 10, 100))
    for share in (0.1, 0.05, 0.02, 0.01):
        yield f'node_filesystem_avail_bytes{{{of}}} / node_filesystem_size_bytes{{{of}}} < {share}'
        yield f'node_memory_MemAvailable_bytes{{{of}}} / node_memory_MemTotal_bytes{{{of}}} < {share}'
    yield from (f"node_load5{{{of}}} > {bound}" for bound in (16, 32, 64, 128))
    yield f'up{{{of}}} == 0'


def rule_file(count, services, machines):
    """The groups as JSON, which is YAML: fifty rules each, every tenth rule records what it finds."""
    wanted = [text for service in services for text in rules_of_service(service)] + [text for machine in machines for text in rules_of_machine(machine)]
    rules = []
    for number in range(count):
        # Past the end the same expressions again, for other people: `for` and labels differ.
        text, turn = wanted[number % len(wanted)], number // len(wanted)
        if number % 10 == 9:
            rules.append({"record": f"recorded:{number}", "expr": text.rsplit(" ", 2)[0]})
        else:
            rules.append({"alert": f"alert{number}", "expr": text, "for": f"{turn + 1}m", "labels": {"team": f"t{turn}"}})
    return {"groups": [{"name": f"g{at}", "interval": f"{INTERVAL}s", "rules": rules[at : at + 50]} for at in range(0, len(rules), 50)]}, len(set(wanted))


class RulesSignalbox(Signalbox):
    EVALUATIONS = "signalbox_alert_evaluations_total"

    def command(self):
        return super().command() + ["--prometheus-config", str(config_of(self.folder))]


class RulesPrometheus(Prometheus):
    EVALUATIONS = "prometheus_rule_evaluations_total"

    def command(self):
        command = super().command()
        return [word if not word.startswith("--config.file") else f"--config.file={config_of(self.folder)}" for word in command]


def config_of(folder):
    path = pathlib.Path(folder).resolve().parent / "rules.yml"
    config = path.with_name("prometheus.yml")
    config.write_text(json.dumps({"global": {"evaluation_interval": f"{INTERVAL}s"}, "rule_files": [str(path)]}))
    return config


class Rules(side_by_side.Bench):
    GOALS = {"CPU ms/evaluation": 0.5}
    done = False

    def rules(self, server):
        """Health and last error of all rules."""
        groups = json.loads(server.get("/api/v1/rules")[1])["data"]["groups"]
        return [(rule["health"], rule.get("lastError")) for group in groups for rule in group["rules"]]

    def evaluations(self, server):
        """Evaluations so far of all rules, by the server's own count."""
        lines = server.get("/metrics")[1].decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(server.EVALUATIONS + "{"))

    def together(self, _):
        if len(self.arguments.peers) < 2 or self.done:
            return
        self.done = True
        scratch = pathlib.Path(self.arguments.scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / "rules.yml").write_text(json.dumps({"groups": []}))
        peers = [peer(scratch / peer.NAME) for peer in self.arguments.peers]
        start = int(time.time()) - PAST_STEPS * STEP
        for server in peers:
            server.start(fresh=True)
            subprocess.run([self.arguments.load, "--url", server.write_url, "--steps", str(STEPS), "--start", str(start)], check=True, capture_output=True)
        time.sleep(5)
        idle = [self.rate(server, 20) for server in peers]
        names = lambda label, match: json.loads(peers[0].get(f"/api/v1/label/{label}/values", {"match[]": match})[1])["data"]
        services, machines = names("service", "http_requests_total"), names("instance", "node_load1")
        groups, distinct = rule_file(self.arguments.rules, services, machines)
        (scratch / "rules.yml").write_text(json.dumps(groups))
        for server in peers:
            server.stop()
            server.start()
        # The first round looks everything up; rounds after it are what a server does all day.
        time.sleep(2 * INTERVAL)
        before = [(server.cpu(), self.evaluations(server), time.monotonic()) for server in peers]
        time.sleep(self.arguments.intervals * INTERVAL)
        for server, quiet, (cpu, evaluations, begun) in zip(peers, idle, before):
            cpu, evaluations, seconds = server.cpu() - cpu, self.evaluations(server) - evaluations, time.monotonic() - begun
            self.note(server, "evaluations a second", evaluations / seconds)
            self.note(server, "CPU of one core, %", cpu / seconds * 100)
            self.note(server, "CPU ms/evaluation", max(cpu - quiet * seconds, 0) / evaluations * 1e3)
            self.note(server, "RSS, MiB", server.rss_mib()[0])
            rules = self.rules(server)
            self.note(server, "rules", len(rules))
            self.note(server, "rules that failed", sum(health != "ok" for health, _ in rules))
            self.note(server, "alerts", len(json.loads(server.get("/api/v1/alerts")[1])["data"]["alerts"]))
            if failed := [error for health, error in rules if health != "ok"]:
                print(server.NAME, failed[:3])
        print(f"{distinct} distinct expressions")
        for server in peers:
            server.stop()

    def rate(self, server, seconds):
        """CPU seconds in a second."""
        before, begun = server.cpu(), time.monotonic()
        time.sleep(seconds)
        return (server.cpu() - before) / (time.monotonic() - begun)


if __name__ == "__main__":
    side_by_side.main(Rules, [RulesSignalbox, RulesPrometheus], ["together"], __doc__, rules=10_000, intervals=4)
