use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use signalbox_model::series::NoKnownSeries;
use signalbox_model::{Batch, TimeRange};

use super::container::{self, Line};
use super::join::Joiner;
use super::source::{Compiled, Lines};
use super::watch::{Round, Watch};
use super::{LineFormat, Multiline, Source, Start, paths};
use crate::door::Context;

fn context() -> Context<'static> {
    Context { now_ns: 1_700_000_000_000_000_000, known: &NoKnownSeries, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None }
}

fn bodies(round: &Round) -> Vec<String> {
    let mut found = Vec::new();
    for batch in round.batches.iter().flat_map(|(_, decoded)| &decoded.batches) {
        let Batch::Logs(logs) = batch else { continue };
        let column = logs.rows().column_by_name("body").unwrap();
        let column = column.as_any().downcast_ref::<arrow_array::StringArray>().unwrap();
        found.extend(column.iter().map(|text| text.unwrap_or_default().to_owned()));
    }
    found
}

struct World {
    folder: tempfile::TempDir,
    source: Source,
    watch: Watch,
    now: Duration,
}

impl World {
    fn new(source: Source) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Source { paths: vec![folder.path().join("*.log").display().to_string()], ..source };
        let watch = Self::watch(&folder, &source);
        Self { folder, source, watch, now: Duration::from_secs(100) }
    }

    fn watch(folder: &tempfile::TempDir, source: &Source) -> Watch {
        Watch::new(vec![Compiled::new(source, "receive.files[0]").unwrap()], folder.path().join("state/positions.json"))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.folder.path().join(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn restart(&mut self) {
        self.watch = Self::watch(&self.folder, &self.source);
    }

    /// A round that is not acknowledged.
    fn read(&mut self) -> Round {
        self.now += Duration::from_secs(1);
        self.watch.discover();
        self.watch.round(&context(), self.now)
    }

    /// Rounds until nothing comes, acknowledged.
    fn lines(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..3 {
            let round = self.read();
            all.extend(bodies(&round));
            self.watch.acknowledge(&round, self.now).unwrap();
        }
        all
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn lines_come_once_and_unfinished_ones_when_they_end() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\r\n\ntwo\nthr");
    world.write("b.log", b"\xffbad\n");
    world.write("c.txt", "no\n");
    assert_eq!(world.lines(), ["one", "two", "\u{fffd}bad"]);
    world.write("a.log", "ee\nfour\n");
    assert_eq!(world.lines(), ["three", "four"]);
    world.restart();
    assert_eq!(world.lines(), Vec::<String>::new());
}

#[test]
fn what_was_not_acknowledged_is_read_again() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\n");
    assert_eq!(world.lines(), ["one"]);
    world.write("a.log", "two\n");
    assert_eq!(bodies(&world.read()), ["two"]);
    world.restart();
    assert_eq!(world.lines(), ["two"]);
}

#[test]
fn renamed_files_are_read_to_their_end_and_new_ones_from_their_beginning() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\n");
    assert_eq!(world.lines(), ["one"]);
    world.write("a.log", "two\nlast");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.write("a.log", "three\n");
    assert_eq!(world.lines(), ["two", "three"]);
    // Nobody writes to the old file any more: its last line needs no end.
    world.now += Duration::from_secs(60);
    assert_eq!(world.lines(), ["last"]);
    assert_eq!(world.watch.files(), 1);
    // And while nobody looks.
    world.write("a.log", "four\n");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.write("a.log", "five\n");
    world.restart();
    let mut found = world.lines();
    found.sort();
    assert_eq!(found, ["five", "four"]);
}

#[test]
fn truncated_files_and_files_with_an_old_inode_begin_anew() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one is a long line\n");
    assert_eq!(world.lines(), ["one is a long line"]);
    fs::write(world.path("a.log"), "two\n").unwrap();
    assert_eq!(world.lines(), ["two"]);
    fs::write(world.path("a.log"), "three, longer than what stood there\n").unwrap();
    assert_eq!(world.lines(), ["three, longer than what stood there"]);
    fs::write(world.path("a.log"), "another file with the same inode, and longer than the old one\n").unwrap();
    world.restart();
    assert_eq!(world.lines(), ["another file with the same inode, and longer than the old one"]);
}

#[test]
fn long_lines_are_cut_and_cost_no_memory() {
    let mut world = World::new(Source { line_bytes_max: 10, ..Source::default() });
    world.write("a.log", format!("{}\nnext\n", "x".repeat(3_000_000)));
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend(world.lines());
    }
    assert_eq!(all, ["xxxxxxxxxx", "next"]);
}

#[test]
fn the_end_is_where_reading_starts_if_asked_and_excluded_files_are_not_read() {
    let mut world = World::new(Source { start: Start::End, exclude: vec!["**/b.log".into()], ..Source::default() });
    world.write("a.log", "old\n");
    world.write("b.log", "no\n");
    assert_eq!(world.lines(), Vec::<String>::new());
    world.write("a.log", "new\n");
    world.write("c.log", "later\n");
    assert_eq!(world.lines(), ["new", "later"]);
}

#[test]
fn damaged_positions_read_everything_again() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\n");
    world.lines();
    for damage in ["", "{", "[]", "{\"version\":1,\"files\":[{\"offset\":-1}]}"] {
        fs::write(world.path("state/positions.json"), damage).unwrap();
        world.restart();
        assert_eq!(world.lines(), ["one"], "{damage}");
    }
}

#[test]
fn lines_of_containers_are_read() {
    let line = |text: &'static str, stream, is_partial| Line { text: text.into(), timestamp_ns: Some(1_714_979_289_500_000_000), stream, is_partial };
    let cases = [
        (LineFormat::Cri, "2024-05-06T07:08:09.5Z stdout F hello world", line("hello world", "stdout", false)),
        (LineFormat::Cri, "2024-05-06T07:08:09.5Z stderr P:x part", line("part", "stderr", true)),
        (LineFormat::Container, "2024-05-06T07:08:09.5Z stdout F", line("", "stdout", false)),
        (LineFormat::Docker, r#"{"log":"a \"b\"\n","stream":"stderr","time":"2024-05-06T07:08:09.5Z"}"#, line("a \"b\"", "stderr", false)),
        (LineFormat::Container, r#"{"log":"cut","stream":"stdout","time":"2024-05-06T07:08:09.5Z","attrs":{"x":"y"}}"#, line("cut", "stdout", true)),
    ];
    for (format, text, want) in cases {
        assert_eq!(container::read(format, text), want, "{text}");
    }
    for text in
        ["", "x", "2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.5Z stdin F x", "2024-05-06T07:08:09.5Z stdout Q x", "x stdout F y", "{\"log\":", "{\"log\":7}"]
    {
        let read = container::read(LineFormat::Container, text);
        assert_eq!((&*read.text, read.timestamp_ns, read.is_partial), (text, None, false));
    }
}

#[test]
fn parts_and_groups_are_joined_stream_by_stream() {
    let lines = Lines::new(&Multiline { firstline: r"^\S".into(), lines_max: 3, wait_ms: 1000 }, "x").unwrap();
    let (mut joiner, mut out) = (Joiner::default(), Vec::new());
    let texts = [
        ("a", "stdout", false),
        ("b1", "stderr", true),
        (" more", "stdout", false),
        ("b2", "stderr", false),
        (" x", "stdout", false),
        (" y", "stdout", false),
        ("c", "stdout", false),
    ];
    for (at, (text, stream, is_partial)) in texts.into_iter().enumerate() {
        let line = Line { text: text.into(), timestamp_ns: None, stream, is_partial };
        joiner.push(line, at as u64, Some(&lines), 100, Duration::ZERO, &mut out);
    }
    let shown = |pieces: &[super::join::Piece]| pieces.iter().map(|piece| format!("{}@{}", piece.text, piece.start)).collect::<Vec<_>>();
    assert_eq!(shown(&out), ["a\n more\n x@0", " y@5"]);
    assert_eq!(joiner.start(), Some(1));
    joiner.flush_old(&lines, Duration::from_millis(999), &mut out);
    assert_eq!(out.len(), 2);
    joiner.flush_old(&lines, Duration::from_millis(1000), &mut out);
    assert_eq!(out.len(), 4);
    assert_eq!(joiner.start(), None);
}

#[test]
fn a_record_of_several_lines_is_read_again_as_a_whole() {
    let mut world = World::new(Source { multiline: Some(Multiline { firstline: r"^\S".into(), ..Multiline::default() }), ..Source::default() });
    world.write("a.log", "one\n a\ntwo\n b\n");
    assert_eq!(bodies(&world.read()), ["one\n a"]);
    let round = world.read();
    world.watch.acknowledge(&round, world.now).unwrap();
    world.restart();
    world.write("a.log", " c\nthree\n");
    assert_eq!(world.lines(), ["two\n b\n c"]);
    world.now += Duration::from_secs(10);
    assert_eq!(world.lines(), ["three"]);
}

#[test]
fn paths_tell_pods_and_containers() {
    let shown = |path: &str| paths::attributes(Path::new(path)).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    assert_eq!(shown("/var/log/pods/shop_cart-1_uid-1/cart/0.log"), "k8s.namespace.name=shop k8s.pod.name=cart-1 k8s.pod.uid=uid-1 k8s.container.name=cart");
    assert_eq!(
        shown("/var/log/containers/cart-1_shop_cart-app-0a1b.log"),
        "k8s.namespace.name=shop k8s.pod.name=cart-1 k8s.container.name=cart-app container.id=0a1b"
    );
    assert_eq!(shown("/var/lib/docker/containers/0a1b/0a1b-json.log"), "container.id=0a1b");
    for path in ["/var/log/syslog", "/var/log/pods/x/y/0.log", "/var/log/containers/x.log", "/"] {
        assert_eq!(shown(path), "");
    }
    assert_eq!(paths::checked(&["/a/{b,c{d}/*.log".into(), "/{x,y}".into()], "x").unwrap(), ["/a/b/*.log", "/a/c{d/*.log", "/x", "/y"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_their_place() {
    let paths = vec!["/var/log/*.log".to_owned()];
    for (source, want) in [
        (Source::default(), "receive.files[0].paths: want at least one"),
        (Source { paths: vec!["/a/[".into()], ..Source::default() }, "receive.files[0].paths[0]: cannot read pattern"),
        (Source { paths: paths.clone(), exclude: vec!["[".into()], ..Source::default() }, "receive.files[0].exclude[0]: cannot read pattern"),
        (Source { paths: paths.clone(), line_bytes_max: 0, ..Source::default() }, "receive.files[0].line_bytes_max"),
        (Source { paths: paths.clone(), multiline: Some(Multiline::default()), ..Source::default() }, "receive.files[0].multiline: want firstline"),
        (Source { paths, transform: serde_norway::from_str("[{}]").unwrap(), ..Source::default() }, "receive.files[0].transform[0]: the step does nothing"),
    ] {
        let error = Compiled::new(&source, "receive.files[0]").unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}
