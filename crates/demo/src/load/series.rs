//! The series of data set M1: their labels, and how their values come about.

use super::{NODES, PODS, SERVICES, mix2, namespace, node_name, node_of, pod_name, unit, wire};

/// Buckets, sum and count.
pub(super) const SERIES_IN_HISTOGRAM: usize = 14;
/// Upper bounds of the buckets in seconds; the last stands for infinity.
pub(super) const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];
const BOUND_TEXTS: [&str; 12] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

/// How the values of a series come about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// A counter of whole numbers.
    Count { rate: f64 },
    /// A counter of seconds with two decimals.
    Seconds { rate: f64 },
    /// Always the same.
    Constant(f64),
    /// Stays with this probability, else is anywhere from low to high in multiples of a unit.
    Gauge { low: f64, high: f64, unit: f64, stays: f64 },
    /// One of the 14 series of a histogram.
    OfHistogram { histogram: usize, which: usize },
}

/// A series: its labels as they are on the wire, and its value now.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) id: u64,
    pub(super) labels: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) value: f64,
    /// Which pod it goes away with.
    pub(super) pod: Option<usize>,
    names_and_values: Vec<(String, String)>,
}

/// The totals of a histogram since its pod started.
#[derive(Debug)]
pub(super) struct Histogram {
    pub(super) id: u64,
    pub(super) rate: f64,
    pub(super) median: f64,
    pub(super) totals: [f64; SERIES_IN_HISTOGRAM],
    pub(super) pod: usize,
}

impl Series {
    /// Writes the labels anew, for the generation that its pod is in.
    pub(super) fn name(&mut self, generations: &[u64]) {
        if let Some(pod) = self.pod {
            let (service, number, generation) = (pod / PODS % SERVICES.len(), pod % PODS, generations[pod]);
            for (name, value) in &mut self.names_and_values {
                match name.as_str() {
                    "pod" => *value = pod_name(service, number, generation),
                    "instance" => *value = format!("10.1.{service}.{}:8080", (number as u64 * 24 + generation) % 250 + 1),
                    _ => {}
                }
            }
        }
        let mut sorted: Vec<_> = self.names_and_values.iter().collect();
        sorted.sort();
        self.labels.clear();
        let mut label = Vec::new();
        for (name, value) in sorted {
            label.clear();
            wire::bytes(&mut label, 1, name.as_bytes());
            wire::bytes(&mut label, 2, value.as_bytes());
            wire::bytes(&mut self.labels, 1, &label);
        }
    }
}

/// All series and histograms of so many clusters, and how many pods they have.
pub(super) fn catalog(seed: u64, clusters: u64) -> (Vec<Series>, Vec<Histogram>, usize) {
    let mut catalog = Catalog { seed, cluster: 1, series: Vec::new(), histograms: Vec::new() };
    let pods = SERVICES.len() * PODS;
    for cluster in 1..=clusters {
        catalog.cluster = cluster;
        (0..NODES).for_each(|node| catalog.node(node));
        let first = (cluster as usize - 1) * pods;
        (first..first + pods).for_each(|pod| catalog.pod(pod));
    }
    (catalog.series, catalog.histograms, pods * clusters as usize)
}

struct Catalog {
    seed: u64,
    cluster: u64,
    series: Vec<Series>,
    histograms: Vec<Histogram>,
}

type Label<'a> = (&'a str, &'a str);

impl Catalog {
    fn add(&mut self, name: &str, of: &[Label], own: &[Label], kind: Kind, pod: Option<usize>) {
        let id = self.series.len() as u64;
        // Counters start at what they had counted before.
        let u = unit(mix2(self.seed ^ 0x57a7, id));
        let value = match kind {
            Kind::Count { rate } => (rate * u * 1e6).floor(),
            Kind::Seconds { rate } => (rate * u * 1e8).floor() / 100.0,
            Kind::Constant(value) => value,
            Kind::Gauge { low, .. } => low,
            Kind::OfHistogram { .. } => 0.0,
        };
        let cluster = format!("prod-eu-{}", self.cluster);
        let labels = [("__name__", name), ("cluster", cluster.as_str())].into_iter().chain(of.iter().copied()).chain(own.iter().copied());
        let names_and_values = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.series.push(Series { id, labels: Vec::new(), kind, value, pod, names_and_values });
    }

    /// A rate between two, all orders of magnitude alike.
    fn rate(&self, low: f64, high: f64, salt: u64) -> f64 {
        low * (high / low).powf(unit(mix2(self.seed ^ 0x10c, (self.series.len() as u64) << 8 | salt)))
    }

    fn node(&mut self, node: usize) {
        let (instance, name) = (format!("10.0.{}.{}:9100", node / 8, 10 + node), node_name(node));
        let of = [("job", "node-exporter"), ("instance", &instance), ("node", &name)];
        self.cpus(&of);
        self.memory(&of);
        self.disks(&of);
        self.network(&of);
        self.add("up", &of, &[], Kind::Constant(1.0), None);
    }

    fn cpus(&mut self, of: &[Label]) {
        const MODES: [(&str, f64); 8] =
            [("idle", 0.80), ("iowait", 0.005), ("irq", 0.0), ("nice", 0.0), ("softirq", 0.004), ("steal", 0.0), ("system", 0.05), ("user", 0.14)];
        for cpu in 0..16 {
            let cpu = cpu.to_string();
            for (mode, rate) in MODES {
                self.add("node_cpu_seconds_total", of, &[("cpu", &cpu), ("mode", mode)], Kind::Seconds { rate }, None);
            }
        }
    }

    fn memory(&mut self, of: &[Label]) {
        const FIELDS: [&str; 30] = [
            "MemTotal",
            "MemFree",
            "MemAvailable",
            "Buffers",
            "Cached",
            "SwapCached",
            "Active",
            "Inactive",
            "Active_anon",
            "Inactive_anon",
            "Active_file",
            "Inactive_file",
            "Unevictable",
            "Mlocked",
            "SwapTotal",
            "SwapFree",
            "Dirty",
            "Writeback",
            "AnonPages",
            "Mapped",
            "Shmem",
            "Slab",
            "SReclaimable",
            "SUnreclaim",
            "KernelStack",
            "PageTables",
            "CommitLimit",
            "Committed_AS",
            "VmallocTotal",
            "VmallocUsed",
        ];
        for (index, field) in FIELDS.into_iter().enumerate() {
            let is_constant = matches!(index, 0 | 5 | 12 | 13 | 14 | 15 | 17 | 26 | 28 | 29);
            let moving = Kind::Gauge { low: 4096.0 * 1e4, high: 4096.0 * 2e6, unit: 4096.0, stays: 0.1 };
            let kind = if is_constant { Kind::Constant((index as f64 + 1.0) * 4096.0 * 65536.0) } else { moving };
            self.add(&format!("node_memory_{field}_bytes"), of, &[], kind, None);
        }
    }

    fn disks(&mut self, of: &[Label]) {
        const MOUNTS: [(&str, &str, &str); 4] =
            [("/dev/nvme0n1p1", "/", "ext4"), ("/dev/nvme1n1", "/var/lib/containerd", "xfs"), ("tmpfs", "/run", "tmpfs"), ("/dev/nvme2n1", "/data", "xfs")];
        for (device, mountpoint, fstype) in MOUNTS {
            let own = [("device", device), ("mountpoint", mountpoint), ("fstype", fstype)];
            self.add("node_filesystem_size_bytes", of, &own, Kind::Constant(5.0e11), None);
            let available = Kind::Gauge { low: 1e11, high: 1.01e11, unit: 4096.0, stays: 0.5 };
            self.add("node_filesystem_avail_bytes", of, &own, available, None);
            self.add("node_filesystem_files", of, &own, Kind::Constant(3.2e7), None);
            self.add("node_filesystem_files_free", of, &own, Kind::Gauge { low: 3.0e7, high: 3.01e7, unit: 1.0, stays: 0.6 }, None);
        }
        const COUNTERS: [(&str, f64, f64); 5] = [
            ("reads_completed_total", 0.5, 200.0),
            ("writes_completed_total", 1.0, 400.0),
            ("read_bytes_total", 1e3, 1e7),
            ("written_bytes_total", 1e4, 2e7),
            ("io_time_seconds_total", 0.01, 0.5),
        ];
        for device in ["nvme0n1", "nvme1n1", "nvme2n1", "dm-0"] {
            for (counter, low, high) in COUNTERS {
                let rate = self.rate(low, high, 1);
                let kind = if counter == "io_time_seconds_total" { Kind::Seconds { rate } } else { Kind::Count { rate } };
                self.add(&format!("node_disk_{counter}"), of, &[("device", device)], kind, None);
            }
        }
    }

    fn network(&mut self, of: &[Label]) {
        for device in ["eth0", "lo", "cni0", "docker0"] {
            for direction in ["receive", "transmit"] {
                for (what, low, high) in [("bytes", 1e4, 1e8), ("packets", 1e2, 1e5), ("errs", 0.0, 0.0), ("drop", 0.0, 0.0)] {
                    let rate = if high == 0.0 { 0.0 } else { self.rate(low, high, 2) };
                    self.add(&format!("node_network_{direction}_{what}_total"), of, &[("device", device)], Kind::Count { rate }, None);
                }
            }
        }
        for name in ["node_load1", "node_load5", "node_load15"] {
            self.add(name, of, &[], Kind::Gauge { low: 0.2, high: 12.0, unit: 0.01, stays: 0.05 }, None);
        }
        const SOCKETS: [&str; 20] = [
            "TCP_alloc",
            "TCP_inuse",
            "TCP_mem",
            "TCP_mem_bytes",
            "TCP_orphan",
            "TCP_tw",
            "UDP_inuse",
            "UDP_mem",
            "UDP_mem_bytes",
            "UDPLITE_inuse",
            "RAW_inuse",
            "FRAG_inuse",
            "FRAG_memory",
            "sockets_used",
            "TCP6_inuse",
            "UDP6_inuse",
            "RAW6_inuse",
            "FRAG6_inuse",
            "FRAG6_memory",
            "UDPLITE6_inuse",
        ];
        for (index, field) in SOCKETS.into_iter().enumerate() {
            let moving = Kind::Gauge { low: 10.0, high: 400.0, unit: 1.0, stays: 0.7 };
            let kind = if index % 2 == 0 { Kind::Constant(index as f64 * 17.0) } else { moving };
            self.add(&format!("node_sockstat_{field}"), of, &[], kind, None);
        }
    }

    fn pod(&mut self, pod: usize) {
        let service = pod / PODS % SERVICES.len();
        self.container(pod, service);
        // What a pod is called follows from its generation: `Series::name` fills it in.
        let name = SERVICES[service];
        let of = [("job", name), ("instance", "?"), ("namespace", namespace(service)), ("pod", "?"), ("service", name)];
        for route in ["/api/v1/items", "/api/v1/items/{id}", "/api/v1/orders"] {
            self.requests(&of, route, pod);
            self.durations(&of, route, pod);
        }
        let gauge = |low, high, unit, stays| Kind::Gauge { low, high, unit, stays };
        self.add("go_goroutines", &of, &[], gauge(20.0, 300.0, 1.0, 0.4), Some(pod));
        self.add("go_memstats_heap_alloc_bytes", &of, &[], gauge(1e7, 2e8, 8.0, 0.0), Some(pod));
        self.add("process_cpu_seconds_total", &of, &[], Kind::Seconds { rate: 0.2 }, Some(pod));
        self.add("process_resident_memory_bytes", &of, &[], gauge(5e7, 4e8, 4096.0, 0.3), Some(pod));
        self.add("process_open_fds", &of, &[], gauge(10.0, 200.0, 1.0, 0.6), Some(pod));
    }

    fn container(&mut self, pod: usize, service: usize) {
        let (name, node) = (SERVICES[service], node_name(node_of(service, pod % PODS)));
        let image = format!("registry.local/{name}:v1.{service}.0");
        let of = [("job", "kubelet-cadvisor"), ("node", &node), ("namespace", namespace(service)), ("pod", "?"), ("container", name), ("image", &image)];
        let memory = Kind::Gauge { low: 5e7, high: 4e8, unit: 4096.0, stays: 0.2 };
        let rare = Kind::Count { rate: 0.05 };
        for (name, kind) in [
            ("container_cpu_usage_seconds_total", None),
            ("container_cpu_cfs_periods_total", Some(Kind::Count { rate: 10.0 })),
            ("container_cpu_cfs_throttled_periods_total", Some(rare)),
            ("container_memory_working_set_bytes", Some(memory)),
            ("container_memory_rss", Some(memory)),
            ("container_memory_cache", Some(memory)),
            ("container_network_receive_bytes_total", None),
            ("container_network_transmit_bytes_total", None),
            ("container_fs_reads_bytes_total", Some(rare)),
            ("container_fs_writes_bytes_total", None),
            ("container_spec_memory_limit_bytes", Some(Kind::Constant(536_870_912.0))),
            ("kube_pod_container_status_restarts_total", Some(Kind::Constant(0.0))),
        ] {
            // Rates follow from the place of the series, so they cannot be drawn before it is its turn.
            let kind = kind.unwrap_or_else(|| match name {
                "container_cpu_usage_seconds_total" => Kind::Seconds { rate: self.rate(0.01, 1.0, 3) },
                _ => Kind::Count { rate: self.rate(1e3, 1e6, 3) },
            });
            self.add(name, &of, &[], kind, Some(pod));
        }
    }

    fn requests(&mut self, of: &[Label], route: &str, pod: usize) {
        for method in ["GET", "POST"] {
            for (code, share) in [("200", 1.0), ("400", 0.01), ("404", 0.02), ("500", 0.002)] {
                let rate = self.rate(0.2, 50.0, 4) * share;
                let own = [("method", method), ("route", route), ("code", code)];
                self.add("http_requests_total", of, &own, Kind::Count { rate }, Some(pod));
            }
        }
    }

    fn durations(&mut self, of: &[Label], route: &str, pod: usize) {
        let histogram = self.histograms.len();
        let (rate, median) = (self.rate(0.5, 100.0, 5), self.rate(0.01, 0.4, 6));
        self.histograms.push(Histogram { id: histogram as u64, rate, median, totals: [0.0; SERIES_IN_HISTOGRAM], pod });
        for (which, bound) in BOUND_TEXTS.into_iter().enumerate() {
            let own = [("route", route), ("le", bound)];
            self.add("http_request_duration_seconds_bucket", of, &own, Kind::OfHistogram { histogram, which }, Some(pod));
        }
        for (which, name) in [(12, "http_request_duration_seconds_sum"), (13, "http_request_duration_seconds_count")] {
            self.add(name, of, &[("route", route)], Kind::OfHistogram { histogram, which }, Some(pod));
        }
    }
}
