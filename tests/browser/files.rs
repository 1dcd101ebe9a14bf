//! Pictures and files in a conversation: chosen, dropped and pasted, on their way, refused, shown and saved.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use irongate_test_servers::eventually;
use serde_json::json;
use tempfile::TempDir;

use super::{people::Stage, window::Window};
use crate::support::LIMIT;

/// A drop that has not arrived by then does not arrive.
const DROPPING: Duration = Duration::from_secs(5);
const FIELD: &str = ".composer input[type=file]";

#[tokio::test(flavor = "multi_thread")]
async fn files_in_a_conversation() {
    let stage = Stage::start().await;
    let (ann, bob) = tokio::join!(stage.newcomer("ann", "/"), stage.newcomer("bob", "/rooms"));
    ann.open_room("harbour").await;
    bob.reload().await;
    bob.click("button", "Join harbour").await;
    bob.finds("textbox", "Message harbour").await;
    let desk = Desk::new(&ann).await;

    a_picture_and_a_file_arrive(&stage, &ann, &bob, &desk).await;
    what_is_too_large_is_refused_before_it_is_sent(&ann, &desk).await;
    an_upload_can_be_cancelled(&ann, &desk).await;
    a_broken_upload_can_be_tried_again(&ann, &bob, &desk).await;
    files_can_be_dropped_and_pasted(&ann, &bob, &desk).await;
    hostile_names_show_as_text(&ann, &bob, &desk).await;
}

async fn a_picture_and_a_file_arrive(stage: &Stage, ann: &Window, bob: &Window, desk: &Desk) {
    ann.choose_file(FIELD, &desk.picture).await;
    ann.choose_file(FIELD, &desk.notes).await;
    ann.is_uploaded(2).await;
    ann.has_no_barrier("files to send").await;
    ann.fill("Message harbour", "The quay and the notes").await;
    ann.press_enter().await;
    ann.holds("nothing left to send", "document.querySelector('.upload') === null").await;

    bob.hears("The quay and the notes").await;
    // As wide as there is room for, in the picture's own proportions, before and after it is there.
    bob.holds("a place of 360 by 180", "(() => { const place = document.querySelector('.picture')?.getBoundingClientRect(); return Math.round(place?.width) === 360 && Math.abs(place.height - 180) <= 1; })()").await;
    bob.holds("the picture", "document.querySelector('.picture img')?.naturalWidth === 800").await;
    bob.holds(
        "the place as it was",
        "Math.abs(document.querySelector('.picture').getBoundingClientRect().height - 180) <= 1",
    )
    .await;
    bob.click("button", "Enlarge quay.png").await;
    bob.holds(
        "it enlarged",
        "document.querySelector('dialog[open] .enlarged img')?.getBoundingClientRect().width > 600",
    )
    .await;
    bob.has_no_barrier("an enlarged picture").await;
    bob.back().await;
    bob.holds("it small again", "document.querySelector('dialog[open]') === null").await;
    bob.finds("textbox", "Message harbour").await;

    bob.reads(".file", "notes.txt").await;
    bob.reads(".file", "28 bytes").await;
    let downloads = tempfile::tempdir().unwrap();
    stage.browser.downloads(bob, downloads.path()).await;
    bob.click("button", "Save notes.txt").await;
    let (saved, sent) = (downloads.path().join("notes.txt"), fs::read(&desk.notes).unwrap());
    eventually("the file", LIMIT, || async { fs::read(&saved).ok().as_ref() == Some(&sent) }).await;
}

async fn what_is_too_large_is_refused_before_it_is_sent(ann: &Window, desk: &Desk) {
    ann.choose_file(FIELD, &desk.huge).await;
    ann.reads(".upload.is-refused", "Larger than 25 MiB").await;
    ann.fill("Message harbour", "With it").await;
    ann.holds("no way to send it", "document.querySelector('.send').disabled").await;
    ann.click("button", "Remove huge.bin").await;
    ann.holds("a way to send the rest", "!document.querySelector('.send').disabled").await;
}

async fn an_upload_can_be_cancelled(ann: &Window, desk: &Desk) {
    ann.network(Some(200_000)).await;
    ann.choose_file(FIELD, &desk.large).await;
    ann.holds("progress", "document.querySelector('.upload progress')?.value > 0").await;
    ann.click("button", "Cancel large.bin").await;
    ann.holds("nothing to send", "document.querySelector('.upload') === null").await;
    ann.network(None).await;
}

async fn a_broken_upload_can_be_tried_again(ann: &Window, bob: &Window, desk: &Desk) {
    ann.network(Some(0)).await;
    ann.choose_file(FIELD, &desk.notes).await;
    ann.reads(".upload.is-failed", "could not be reached").await;
    ann.network(None).await;
    ann.click("button", "Upload notes.txt again").await;
    ann.is_uploaded(1).await;
    ann.fill("Message harbour", "Now it went").await;
    ann.press_enter().await;
    bob.hears("Now it went").await;
}

async fn files_can_be_dropped_and_pasted(ann: &Window, bob: &Window, desk: &Desk) {
    let drag = async |kind: &str| {
        let data = json!({"items": [], "files": [desk.notes], "dragOperationsMask": 1});
        let event = json!({"type": kind, "x": 700, "y": 300, "data": data});
        ann.ask("Input.dispatchDragEvent", event).await.unwrap();
    };
    drag("dragEnter").await;
    // Over a place a browser says so again and again.
    ann.until("to be shown where to drop", || async {
        drag("dragOver").await;
        ann.text().await.contains("Drop files to send them to harbour")
    })
    .await;
    // DevTools now and then loses a drop without a word: then the page still shows where to drop.
    ann.until("to have dropped it", || async {
        drag("dragOver").await;
        drag("drop").await;
        let dropped = Instant::now();
        while dropped.elapsed() < DROPPING {
            if !ann.text().await.contains("Drop files to send them to harbour") {
                return true;
            }
        }
        false
    })
    .await;
    ann.is_uploaded(1).await;
    let paste = "(() => { const copied = new DataTransfer();
        copied.items.add(new File([Uint8Array.from(atob('R0lGODlhAQABAAAAACwAAAAAAQABAAA='), (letter) => letter.charCodeAt(0))], 'image.gif', { type: 'image/gif' }));
        document.querySelector('.composer textarea').dispatchEvent(new ClipboardEvent('paste', { clipboardData: copied, bubbles: true, cancelable: true })); })()";
    ann.evaluate(paste).await.unwrap();
    ann.is_uploaded(2).await;
    // Files need no words.
    ann.click("button", "Send").await;
    bob.finds("button", "Enlarge image.gif").await;
}

async fn hostile_names_show_as_text(ann: &Window, bob: &Window, desk: &Desk) {
    ann.choose_file(FIELD, &desk.hostile).await;
    ann.is_uploaded(1).await;
    ann.click("button", "Send").await;
    bob.reads(".file", "<img src=x onerror=hit()>").await;
    bob.holds("no such element", "document.querySelector('img[src=x]') === null").await;
}

/// The files of somebody's desk.
struct Desk {
    picture: PathBuf,
    notes: PathBuf,
    large: PathBuf,
    huge: PathBuf,
    hostile: PathBuf,
    _folder: TempDir,
}

impl Desk {
    async fn new(window: &Window) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| put(folder.path(), name, bytes);
        let picture = "(() => { const canvas = Object.assign(document.createElement('canvas'), { width: 800, height: 400 });
            const context = canvas.getContext('2d'); context.fillStyle = '#2a7'; context.fillRect(0, 0, 800, 400);
            return canvas.toDataURL('image/png').split(',')[1]; })()";
        let picture = window.evaluate(picture).await.unwrap();
        Self {
            picture: put("quay.png", &BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()),
            notes: put("notes.txt", b"Seven metres at low water.\r\n"),
            large: put("large.bin", &vec![7; 3 << 20]),
            huge: put("huge.bin", &vec![0; (25 << 20) + 1]),
            hostile: put("<img src=x onerror=hit()>.txt", b"x"),
            _folder: folder,
        }
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, bytes).unwrap();
    file
}

impl Window {
    /// Waits until so many files stand ready to be sent.
    async fn is_uploaded(&self, count: usize) {
        self.holds(
            &format!("{count} files to send"),
            &format!("document.querySelectorAll('.upload.is-there').length === {count}"),
        )
        .await;
    }

    /// The network with so many bytes a second upwards; with none at all at 0; as it is.
    async fn network(&self, upwards: Option<u32>) {
        self.ask("Network.enable", json!({})).await.unwrap();
        let conditions = json!({
            "offline": upwards == Some(0), "latency": 0, "downloadThroughput": -1,
            "uploadThroughput": upwards.map_or(-1, i64::from),
        });
        self.ask("Network.emulateNetworkConditions", conditions).await.unwrap();
    }
}
