//! Paths by patterns, and what paths of containers tell.

use std::path::{Path, PathBuf};

use glob::Pattern;
use signalbox_model::{Error, Result};

use super::{Compressed, unpack};

/// Files that one pattern may find.
const FOUND_MAX: usize = 16 << 10;
/// Patterns that the braces of one may stand for.
const BRACES_MAX: usize = 64;
/// What a rotation leaves behind when it compresses.
const COMPRESSED: [&str; 4] = ["gz", "bz2", "xz", "zst"];

/// Patterns with their braces written out.
pub(super) fn checked(patterns: &[String], place: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for (number, text) in patterns.iter().enumerate() {
        let place = format!("{place}[{number}]");
        if text.is_empty() {
            return Err(Error::invalid(format!("{place}: the pattern is empty")));
        }
        for pattern in without_braces(text) {
            Pattern::new(&pattern).map_err(|error| Error::invalid(format!("{place}: cannot read pattern {text:?}: {}", error.msg)))?;
            all.push(pattern);
        }
    }
    Ok(all)
}

/// Patterns that names are compared with.
pub(super) fn patterns(texts: &[String], place: &str) -> Result<Vec<Pattern>> {
    // Checked a moment ago.
    Ok(checked(texts, place)?.iter().filter_map(|text| Pattern::new(text).ok()).collect())
}

fn without_braces(text: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(next) = open.pop() {
        let parts = next.find('{').and_then(|start| Some((start, start + next[start..].find('}')?)));
        match parts {
            Some((start, end)) if done.len() + open.len() < BRACES_MAX => {
                open.extend(next[start + 1..end].split(',').rev().map(|part| format!("{}{part}{}", &next[..start], &next[end + 1..])));
            }
            _ => done.push(next),
        }
    }
    done
}

/// Appends the files that a pattern matches now; of compressed ones those that can be read, if that is wanted.
pub(super) fn find(pattern: &str, exclude: &[Pattern], compressed: Compressed, out: &mut Vec<PathBuf>) {
    let Ok(found) = glob::glob(pattern) else { return };
    for path in found.flatten().take(FOUND_MAX) {
        let is_compressed = path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| COMPRESSED.contains(&extension));
        let is_wanted = !is_compressed || compressed == Compressed::Once && unpack::is_packed(&path);
        if is_wanted && !exclude.iter().any(|pattern| pattern.matches_path(&path)) {
            out.push(path);
        }
    }
}

/// Attributes of the resource that a path of a container tells.
pub(super) fn attributes(path: &Path) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    match parts.as_slice() {
        [.., "pods", pod, container, _file] => {
            let mut names = pod.splitn(3, '_');
            let (Some(namespace), Some(name), Some(uid)) = (names.next(), names.next(), names.next()) else { return Vec::new() };
            vec![
                ("k8s.namespace.name", namespace.to_owned()),
                ("k8s.pod.name", name.to_owned()),
                ("k8s.pod.uid", uid.to_owned()),
                ("k8s.container.name", (*container).to_owned()),
            ]
        }
        [.., "docker", "containers", id, _file] => vec![("container.id", (*id).to_owned())],
        [.., "containers", file] => {
            let Some(stem) = file.strip_suffix(".log") else { return Vec::new() };
            let mut names = stem.splitn(3, '_');
            let (Some(pod), Some(namespace), Some(rest)) = (names.next(), names.next(), names.next()) else { return Vec::new() };
            let Some((container, id)) = rest.rsplit_once('-') else { return Vec::new() };
            vec![
                ("k8s.namespace.name", namespace.to_owned()),
                ("k8s.pod.name", pod.to_owned()),
                ("k8s.container.name", container.to_owned()),
                ("container.id", id.to_owned()),
            ]
        }
        _ => Vec::new(),
    }
}
