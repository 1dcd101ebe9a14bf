//! The index of the files under the root, kept current by looking again every second.
//!
//! The walk runs on a blocking thread and yields an immutable [`Index`] that requests read. A file that did not
//! change keeps its entry, with its hash and compressed forms. Names that begin with a dot, special
//! files, and links that lead out of the root are not in the index, and so not there.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::mime;
use crate::{
    config::Files,
    lane::encoding::Coding,
    wire::{Fields, ReadyFields},
};

/// Deeper or more files than this are not served; a misplaced root must not eat the memory.
const FILES_MAX: usize = 50_000;
const DEPTH_MAX: usize = 24;
/// Compressing less does not make it smaller.
const COMPRESS_FROM: u64 = 256;

pub(crate) struct Site {
    settings: ArcSwap<Files>,
    index: ArcSwap<Index>,
    /// One walk at a time.
    walking: Mutex<()>,
    /// Whether it was said that there are too many files.
    is_full: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Index {
    files: HashMap<String, Arc<Entry>>,
    directories: BTreeSet<String>,
    fallback: Option<Arc<Entry>>,
    error_pages: HashMap<u16, Arc<Entry>>,
}

/// One file as it is served.
pub(crate) struct Entry {
    /// Under which it is served.
    pub(super) path: String,
    pub(super) mime: &'static str,
    pub(super) modified: i64,
    pub(super) content_security_policy: Option<String>,
    identity: Content,
    codings: Vec<Coding>,
    compressed: Vec<Content>,
    /// For the identity first, then for each of `codings`.
    heads: Vec<Heads>,
    /// Whether the forms that are made here were made.
    is_compressed: bool,
    /// What tells that the file changed.
    stamp: Stamp,
}

/// What every answer with one form of a file says, made once.
pub(super) struct Heads {
    pub(super) etag: String,
    /// For answers without the file: 304, 412.
    pub(super) bare: Fields,
    /// For answers with all of it.
    pub(super) full: ReadyFields,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified_ns: u128,
    path: PathBuf,
    /// Compressed siblings, with their times.
    siblings: Vec<(Coding, u64, u128)>,
}

pub(crate) enum Content {
    Kept(Bytes),
    OnDisk { path: PathBuf, length: u64, modified_ns: u128 },
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Content::Kept(bytes) => bytes.len() as u64,
            Content::OnDisk { length, .. } => *length,
        }
    }
}

impl Index {
    pub(super) fn get(&self, path: &str) -> Option<&Arc<Entry>> {
        self.files.get(path)
    }

    pub(super) fn is_directory(&self, path: &str) -> bool {
        self.directories.contains(path)
    }

    pub(super) fn fallback(&self) -> Option<&Arc<Entry>> {
        self.fallback.as_ref()
    }

    pub(super) fn error_page(&self, status: u16) -> Option<&Arc<Entry>> {
        self.error_pages.get(&status)
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }
}

impl Entry {
    /// The compressed forms there are.
    pub(super) fn variants(&self) -> &[Coding] {
        &self.codings
    }

    pub(super) fn variant(&self, coding: Coding) -> &Content {
        let at = self.codings.iter().position(|own| *own == coding);
        at.and_then(|at| self.compressed.get(at)).unwrap_or(&self.identity)
    }

    #[expect(clippy::indexing_slicing, reason = "`read` makes one for the identity and one for each coding")]
    pub(super) fn heads(&self, coding: Coding) -> &Heads {
        &self.heads[self.codings.iter().position(|own| *own == coding).map_or(0, |at| at + 1)]
    }
}

impl Heads {
    fn new(
        tag: &str,
        coding: Coding,
        mime: &str,
        cache_control: &str,
        last_modified: &str,
        varies: bool,
        policy: Option<&str>,
    ) -> Self {
        // Strong, and another one for each form: their bytes differ.
        let etag = match coding {
            Coding::Identity => format!("\"{tag}\""),
            other => format!("\"{tag}-{}\"", other.name()),
        };
        let mut bare = Fields::default();
        bare.push("etag", &etag);
        bare.push("last-modified", last_modified);
        bare.push("cache-control", cache_control);
        if varies {
            bare.push("vary", "Accept-Encoding");
        }
        let mut full = bare.clone();
        full.push("content-type", mime);
        full.push("accept-ranges", "bytes");
        full.push("x-content-type-options", "nosniff");
        if coding != Coding::Identity {
            full.push("content-encoding", coding.name());
        }
        if let Some(policy) = policy {
            full.push("content-security-policy", policy);
            full.push("referrer-policy", "same-origin");
            full.push("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()");
            full.push("cross-origin-opener-policy", "same-origin");
            full.push("x-frame-options", "DENY");
        }
        Self { etag, bare, full: ReadyFields::new(full) }
    }
}

impl Stamp {
    fn of(path: PathBuf, metadata: &fs::Metadata) -> Self {
        Self { length: metadata.len(), modified_ns: modified_ns(metadata), siblings: siblings(&path), path }
    }
}

impl Site {
    pub(crate) fn new(settings: Files) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            index: ArcSwap::from_pointee(Index::default()),
            walking: Mutex::new(()),
            is_full: AtomicBool::new(false),
        }
    }

    pub(crate) fn configure(&self, settings: Files) {
        self.settings.store(Arc::new(settings));
    }

    pub(crate) fn index(&self) -> Arc<Index> {
        self.index.load_full()
    }

    /// Walks the root once; blocks. Gives how long that took.
    pub(crate) fn refresh(&self) -> Duration {
        let began = Instant::now();
        self.walk(true);
        began.elapsed()
    }

    /// A file that was replaced since the last walk, as it is now: for requests that come before the next one. Looks at
    /// it, but reads none of it.
    pub(super) fn anew(&self, known: &Entry) -> Option<Arc<Entry>> {
        let path = known.stamp.path.clone();
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let stamp = Stamp::of(path, &metadata);
        Entry::read(&known.path, stamp, false, false, &self.settings.load()).map(Arc::new)
    }

    /// As [`Site::refresh`], but leaves the compressing to the next walk: nobody waits for it at the start.
    pub(crate) fn look_first(&self) {
        self.walk(false);
    }

    fn walk(&self, compresses: bool) {
        let _one = self.walking.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.settings.load();
        let Ok(root) = settings.root.canonicalize() else {
            self.index.store(Arc::new(Index::default()));
            return;
        };
        let old = self.index.load();
        let index = Index::default();
        let mut walk = Walk { root: &root, settings: &settings, old: &old, index, kept: 0, compresses };
        walk.directory(&root, "", 0);
        let mut index = walk.index;
        let is_full = index.files.len() >= FILES_MAX;
        if is_full && !self.is_full.swap(is_full, Relaxed) {
            tracing::warn!(root = %root.display(), most = FILES_MAX, "too many files: the rest is not served");
        }
        let pages: Vec<(String, Arc<Entry>)> = index
            .files
            .iter()
            .filter_map(|(path, entry)| Some((path.strip_suffix("index.html")?.to_owned(), entry.clone())))
            .collect();
        index.files.extend(pages);
        if !settings.fallback.is_empty() {
            index.fallback = index.files.get(&at_root(&settings.fallback)).cloned();
        }
        index.error_pages = settings
            .error_pages
            .iter()
            .filter_map(|(status, file)| {
                Some((status.parse().ok()?, index.files.get(&at_root(file))?.clone()))
            })
            .collect();
        self.index.store(Arc::new(index));
    }
}

/// `404.html` and `/404.html` are the same file.
fn at_root(file: &str) -> String {
    format!("/{}", file.trim_start_matches('/'))
}

struct Walk<'w> {
    root: &'w Path,
    settings: &'w Files,
    old: &'w Index,
    index: Index,
    kept: u64,
    compresses: bool,
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path, at: &str, depth: usize) {
        let Ok(listing) = fs::read_dir(directory) else { return };
        if depth > DEPTH_MAX {
            return;
        }
        for item in listing.flatten() {
            let Ok(name) = item.file_name().into_string() else { continue };
            // SECURITY: .env, .git and their kin are never served.
            if name.starts_with('.') || self.index.files.len() >= FILES_MAX {
                continue;
            }
            // SECURITY: a link may lead around inside the root, not out of it.
            let Ok(real) = item.path().canonicalize() else { continue };
            if !real.starts_with(self.root) {
                continue;
            }
            let Ok(metadata) = fs::metadata(&real) else { continue };
            let path = format!("{at}/{name}");
            if metadata.is_dir() {
                self.index.directories.insert(path.clone());
                self.directory(&real, &path, depth + 1);
            } else if metadata.is_file() {
                let entry = self.entry(&path, real, &metadata);
                if let Some(entry) = entry {
                    self.index.files.insert(path, entry);
                }
            }
        }
    }

    fn entry(&mut self, path: &str, real: PathBuf, metadata: &fs::Metadata) -> Option<Arc<Entry>> {
        let stamp = Stamp::of(real, metadata);
        let keep = stamp.length <= self.settings.cached_file.get()
            && self.kept + stamp.length <= self.settings.cache.get();
        if keep {
            self.kept += stamp.length;
        }
        if let Some(known) = self.old.files.get(path)
            && known.stamp == stamp
            && matches!(known.identity, Content::Kept(_)) == keep
            && (known.is_compressed || !self.compresses)
        {
            return Some(known.clone());
        }
        Entry::read(path, stamp, keep, self.compresses, self.settings).map(Arc::new)
    }
}

impl Entry {
    fn read(path: &str, stamp: Stamp, keep: bool, compresses: bool, settings: &Files) -> Option<Self> {
        let mime = mime::of(path);
        let modified = i64::try_from(stamp.modified_ns / 1_000_000_000).unwrap_or(0);
        let mut codings = Vec::new();
        let mut compressed = Vec::new();
        let content = (keep || mime.starts_with("text/html")).then(|| fs::read(&stamp.path).ok());
        let content = content.map_or(Some(Vec::new()), |read| read)?;
        let content_security_policy =
            mime.starts_with("text/html").then(|| policy(&settings.content_security_policy, &content));
        let (tag, identity) = if keep {
            let bytes = content;
            if mime::compresses(mime) && stamp.length >= COMPRESS_FROM {
                for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
                    let sibling = stamp.siblings.iter().any(|(there, ..)| *there == coding);
                    let small = if sibling {
                        fs::read(sibling_path(&stamp.path, coding)).ok()
                    } else if !compresses {
                        None
                    } else {
                        compress(&bytes, coding)
                    };
                    if let Some(small) = small.filter(|small| small.len() < bytes.len()) {
                        codings.push(coding);
                        compressed.push(Content::Kept(small.into()));
                    }
                }
            }
            let digest = Sha256::digest(&bytes);
            (hex::encode(digest.get(..12).unwrap_or_default()), Content::Kept(bytes.into()))
        } else {
            for (coding, length, modified_ns) in &stamp.siblings {
                let path = sibling_path(&stamp.path, *coding);
                codings.push(*coding);
                compressed.push(Content::OnDisk { path, length: *length, modified_ns: *modified_ns });
            }
            // Hashing a film at every change would cost more than its nanosecond time can err.
            let tag = format!("{:x}-{:x}", stamp.length, stamp.modified_ns);
            let (path, modified_ns) = (stamp.path.clone(), stamp.modified_ns);
            (tag, Content::OnDisk { path, length: stamp.length, modified_ns })
        };
        let last_modified = httpdate::fmt_http_date(
            UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(modified).unwrap_or(0)),
        );
        let cache_control =
            if is_fingerprinted(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let heads = |coding: &Coding| {
            let policy = content_security_policy.as_deref();
            Heads::new(&tag, *coding, mime, cache_control, &last_modified, !codings.is_empty(), policy)
        };
        let heads = [Coding::Identity].iter().chain(&codings).map(heads).collect();
        Some(Self {
            path: path.to_owned(),
            mime,
            modified,
            content_security_policy,
            identity,
            codings,
            compressed,
            heads,
            is_compressed: compresses,
            stamp,
        })
    }
}

pub(super) fn modified_ns(metadata: &fs::Metadata) -> u128 {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    modified.map_or(0, |since| since.as_nanos())
}

fn sibling_path(path: &Path, coding: Coding) -> PathBuf {
    let extension = match coding {
        Coding::Brotli => "br",
        Coding::Zstd => "zst",
        Coding::Gzip => "gz",
        Coding::Identity => "",
    };
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Compressed files beside this one that are not older than it.
fn siblings(path: &Path) -> Vec<(Coding, u64, u128)> {
    let own = fs::metadata(path).map_or(0, |metadata| modified_ns(&metadata));
    [Coding::Brotli, Coding::Zstd, Coding::Gzip]
        .into_iter()
        .filter_map(|coding| {
            let metadata = fs::symlink_metadata(sibling_path(path, coding)).ok()?;
            let modified = modified_ns(&metadata);
            (metadata.is_file() && modified >= own).then_some((coding, metadata.len(), modified))
        })
        .collect()
}

/// `app-3f9a8b2c.js`: a name that changes with the content, as bundlers make them.
fn is_fingerprinted(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut parts = name.split(['.', '-', '_']);
    parts.next();
    parts.any(|part| {
        (8..=64).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    })
}

fn compress(bytes: &[u8], coding: Coding) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() / 2);
    match coding {
        Coding::Brotli => {
            // An unoptimized build would take seconds per file for the last percent.
            let quality = if cfg!(debug_assertions) { 1 } else { 9 };
            // Tables are made for the window, whatever the length of the file: tens of megabytes for the largest.
            let window = (usize::BITS - bytes.len().leading_zeros()).clamp(10, 22);
            let mut writer = brotli::CompressorWriter::new(&mut out, 64 * 1024, quality, window);
            writer.write_all(bytes).ok()?;
            writer.flush().ok()?;
            drop(writer);
        }
        Coding::Zstd => out = zstd::bulk::compress(bytes, 12).ok()?,
        Coding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(&mut out, flate2::Compression::new(8));
            writer.write_all(bytes).ok()?;
            writer.finish().ok()?;
        }
        Coding::Identity => return None,
    }
    Some(out)
}

/// The page's policy with the hashes of its inline scripts (an import map has no other way in).
fn policy(template: &str, html: &[u8]) -> String {
    use base64::Engine as _;
    let text = String::from_utf8_lossy(html);
    let mut hashes = Vec::new();
    let mut rest: &str = &text;
    while let Some(at) = rest.find("<script") {
        rest = rest.get(at..).unwrap_or_default();
        let Some(open_end) = rest.find('>') else { break };
        let (tag, after) = rest.split_at(open_end + 1);
        let Some(close) = after.find("</script") else { break };
        let (body, remaining) = after.split_at(close);
        if !tag.contains("src=") && !body.trim().is_empty() {
            let digest = Sha256::digest(body.as_bytes());
            hashes.push(format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest)));
        }
        rest = remaining;
    }
    let policy = template.replace("{script-hashes}", &hashes.join(" "));
    policy.replace(" ;", ";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(root: &Path) -> Site {
        let site = Site::new(Files { root: root.to_owned(), ..Files::default() });
        site.refresh();
        site
    }

    #[test]
    fn only_plain_files_inside_the_root_are_there() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.txt"), "secret").unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("app")).unwrap();
        fs::write(root.path().join("index.html"), "<p>hi").unwrap();
        fs::write(root.path().join("app/main.js"), "1").unwrap();
        fs::write(root.path().join(".env"), "SECRET=1").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.txt"), root.path().join("link.txt")).unwrap();
        std::os::unix::fs::symlink(root.path().join("app/main.js"), root.path().join("inside.js")).unwrap();
        let index = site(root.path()).index();
        for there in ["/", "/index.html", "/app/main.js", "/inside.js"] {
            assert!(index.get(there).is_some(), "{there}");
        }
        for absent in ["/.env", "/out/secret.txt", "/link.txt", "/app", "/app/../index.html", ""] {
            assert!(index.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn a_changed_file_gets_a_new_tag_and_an_unchanged_one_keeps_its_entry() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.txt"), "one").unwrap();
        fs::write(root.path().join("b.txt"), "same").unwrap();
        let site = site(root.path());
        let before = site.index();
        fs::write(root.path().join("a.txt"), "two!").unwrap();
        site.refresh();
        let after = site.index();
        let tag = |index: &Index, path| index.get(path).unwrap().heads(Coding::Identity).etag.clone();
        assert_ne!(tag(&before, "/a.txt"), tag(&after, "/a.txt"));
        assert!(Arc::ptr_eq(before.get("/b.txt").unwrap(), after.get("/b.txt").unwrap()));
    }

    #[test]
    fn every_form_has_its_own_strong_tag() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.css"), "a { color: red }\n".repeat(100)).unwrap();
        let index = site(root.path()).index();
        let entry = index.get("/a.css").unwrap();
        assert_eq!(entry.variants().len(), 3);
        let tags: BTreeSet<String> = [Coding::Identity, Coding::Gzip, Coding::Zstd, Coding::Brotli]
            .map(|coding| entry.heads(coding).etag.clone())
            .into();
        assert_eq!(tags.len(), 4);
        assert!(entry.variant(Coding::Brotli).len() < entry.variant(Coding::Identity).len());
    }

    #[test]
    fn inline_scripts_are_allowed_by_hash_and_no_others() {
        let html = b"<script src=\"a.js\"></script><script type=\"importmap\">{\"imports\":{}}</script>";
        let policy = policy("script-src 'self' {script-hashes}; object-src 'none'", html);
        assert_eq!(
            policy,
            "script-src 'self' 'sha256-URrTy+Il/Nz0lHojVUx275hWqAWhkSF0VsHbUM4/6Hw='; object-src 'none'"
        );
        assert_eq!(super::policy("script-src 'self' {script-hashes}; x", b"<p>"), "script-src 'self'; x");
    }

    #[test]
    fn fingerprints_are_told_from_words() {
        for (path, fingerprinted) in [
            ("/app-3f9a8b2c.js", true),
            ("/main.0123456789abcdef.css", true),
            ("/deadbeef.js", false),
            ("/app.js", false),
            ("/facade-decades.js", false),
            ("/2026-11-24.html", false),
        ] {
            assert_eq!(is_fingerprinted(path), fingerprinted, "{path}");
        }
    }
}
