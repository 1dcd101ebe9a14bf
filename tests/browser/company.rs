//! People, rooms and a conversation as they might be, for the tour through the views and its pictures.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use super::{people::Stage, window::Window};
use crate::support::{Chat, Person, System};

pub(super) struct Company {
    /// The room to look at.
    pub(super) harbour: String,
    /// A public room that Ann is not in.
    pub(super) charts: String,
    /// Between Ann and Chloé.
    pub(super) direct: String,
    /// Those who are there meanwhile.
    _present: [Chat; 2],
}

impl Company {
    pub(super) async fn gather(stage: &Stage) -> Self {
        let system = &stage.system;
        let [ann, bob, chloe, dora] = [
            newcomer(
                system,
                "ann",
                "Ann Lee",
                "Harbour master. Mornings on the water, afternoons at the desk.",
            )
            .await,
            newcomer(system, "bob", "Bob Okafor", "Keeps the cranes moving.").await,
            newcomer(system, "chloe", "Chloé Martin", "Charts, tides and everything that floats.").await,
            newcomer(system, "dora", "Dora Lindqvist", "").await,
        ];
        let harbour = room(system, &ann, "public", "harbour", "Ships, tides and who is on watch").await;
        let cranes = room(system, &bob, "public", "cranes", "Maintenance and shifts").await;
        let charts = room(system, &chloe, "public", "charts", "Soundings, corrections, new editions").await;
        let canteen = room(system, &dora, "public", "canteen", "What there is for lunch").await;
        let bridge = room(system, &ann, "private", "bridge", "Watch officers").await;
        room(system, &dora, "public", "pilots", "Who brings whom in, and when").await;
        for person in [&bob, &chloe, &dora] {
            person.join(system, &harbour).await;
        }
        for room in [&cranes, &canteen] {
            ann.join(system, room).await;
        }
        let direct = direct(system, &chloe, &ann).await;
        let with_dora = self::direct(system, &dora, &ann).await;

        let (mut anns, mut bobs) = (ann.chat(system).await, bob.chat(system).await);
        let (mut chloes, mut doras) = (chloe.chat(system).await, dora.chat(system).await);
        for chat in [&mut anns, &mut bobs, &mut chloes, &mut doras] {
            chat.join(&harbour, None).await;
        }
        anns.join(&bridge, None).await;
        anns.say(&bridge, "Dora has the watch tonight.").await;
        bobs.join(&cranes, None).await;
        chloes.join(&direct, None).await;
        doras.join(&with_dora, None).await;
        doras.say(&with_dora, "Thank you for the lift!").await;
        anns.join(&with_dora, None).await;
        anns.say(&with_dora, "Any time.").await;

        doras.say(&harbour, "The pilot boat is back in the water.").await;
        anns.say(&harbour, "Good morning! The *Aurora* comes in with the tide at 14:20.").await;
        bobs.say(&harbour, "Crane 2 is free from noon. I have put it into the plan.").await;
        bobs.say(&harbour, "Crane 3 stays closed until the inspector has been here.").await;
        let chart = chloes
            .say(
                &harbour,
                "New soundings at the north quay, 7.4 m at low water: https://charts.example.org/north-quay",
            )
            .await;
        let drawing = stage.browser.window("chloe").await;
        stage.sign_in_at(&drawing, "chloe", &format!("/rooms/{harbour}")).await;
        drawing.finds("textbox", "Message harbour").await;
        drawing.looks_like(CHLOE).await;
        drawing.sends_a_drawing().await;
        drawing.close().await;
        let said = json!({"t": "send", "room": harbour, "cid": "an-answer", "reply_to": chart,
            "body": "That is enough for her. Thank you, @chloe!"});
        anns.command(said).await;
        bobs.say(&harbour, "For the log:\n```\n14:20  Aurora   north quay   draught 6.1 m\n17:45  Teal     east basin   draught 3.8 m\n```").await;
        bobs.say(&harbour, "@ann shall I keep `crane-2` for the Teal as well?").await;
        for (chat, emoji) in [(&mut anns, "👍"), (&mut bobs, "👍"), (&mut doras, "🎉")] {
            let react = json!({"t": "react", "room": harbour, "seq": chart, "emoji": emoji, "on": true});
            chat.command(react).await;
        }
        bobs.say(&cranes, "Grease for crane 1 is ordered.").await;
        bobs.say(&cranes, "The inspector comes at ten tomorrow.").await;
        chloes.say(&direct, "Do you have a minute after lunch?").await;
        lived_through(system, &harbour);
        Self { harbour, charts, direct, _present: [bobs, doras] }
    }
}

/// Spreads what was said within a second over a morning that followed an evening.
fn lived_through(system: &System, room: &str) {
    system.rewrite(&format!(
        "UPDATE rooms SET created_at_ms = created_at_ms - 60 * 86400000 WHERE id = '{room}';
         UPDATE messages SET created_at_ms = created_at_ms - 60000 * CASE
             WHEN body LIKE '%pilot boat%' THEN 1090
             WHEN body LIKE 'Good morning%' THEN 52
             WHEN body LIKE 'Crane 2%' THEN 47
             WHEN body LIKE 'Crane 3%' THEN 46
             WHEN body LIKE 'New soundings%' THEN 31
             WHEN body LIKE 'The sheet%' THEN 30
             WHEN body LIKE 'That is enough%' THEN 24
             WHEN body LIKE 'For the log%' THEN 9
             ELSE 2 END
         WHERE room_id = '{room}';"
    ));
}

async fn newcomer(system: &System, name: &str, display_name: &str, bio: &str) -> Person {
    let person = system.newcomer(name).await;
    let profile = json!({"display_name": display_name, "bio": bio});
    person.send(system, Method::PATCH, "/user/me", Some(&profile)).await.expect(200);
    person
}

async fn room(system: &System, owner: &Person, kind: &str, name: &str, topic: &str) -> String {
    let room = json!({"kind": kind, "name": name, "topic": topic});
    let room = owner.post(system, "/chat/rooms", &room).await.expect(201).json();
    room["id"].as_str().unwrap().to_owned()
}

async fn direct(system: &System, from: &Person, to: &Person) -> String {
    let user = to.get(system, "/user/me").await.expect(200).json()["id"].clone();
    let room = from.post(system, "/chat/dms", &json!({"user": user})).await.json();
    room["id"].as_str().unwrap().to_owned()
}

/// Ann's portrait: the sea below a low sun.
pub(super) const ANN: &str = "const sky = context.createLinearGradient(0, 0, 0, 400); sky.addColorStop(0, '#274a78'); sky.addColorStop(0.75, '#f2a25c'); sky.addColorStop(1, '#f7d28b');
    context.fillStyle = sky; context.fillRect(0, 0, 512, 512);
    context.fillStyle = '#fff3cf'; context.beginPath(); context.arc(256, 330, 62, 0, 7); context.fill();
    context.fillStyle = '#16324f'; context.fillRect(0, 340, 512, 172);
    context.strokeStyle = '#f7d28b88'; context.lineWidth = 8;
    for (let line = 0; line < 5; line += 1) { context.beginPath(); context.moveTo(256 - 90 + line * 18, 366 + line * 28); context.lineTo(256 + 90 - line * 18, 366 + line * 28); context.stroke(); }";

/// Chloé's: lines of equal depth.
const CHLOE: &str = "context.fillStyle = '#0d5c63'; context.fillRect(0, 0, 512, 512);
    for (let line = 0; line < 9; line += 1) { context.strokeStyle = `rgb(${150 + line * 10}, ${220 - line * 6}, ${210 - line * 14})`; context.lineWidth = 10; context.beginPath();
      for (let x = -20; x <= 540; x += 20) context.lineTo(x, 40 + line * 56 + 34 * Math.sin(x / 70 + line)); context.stroke(); }";

impl Window {
    /// Gives the user who is signed in here a portrait, drawn by a script on a `context` of 512 by 512.
    pub(super) async fn looks_like(&self, drawing: &str) {
        let script = format!(
            "(async () => {{ const canvas = Object.assign(document.createElement('canvas'), {{ width: 512, height: 512 }}); const context = canvas.getContext('2d');
               {drawing}
               const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
               const api = await import('/app/net/api.js'); await api.setAvatar(blob); return true; }})()"
        );
        assert_eq!(self.evaluate(&script).await, Ok(Value::Bool(true)));
    }

    /// Sends the soundings as a picture, from the room that is open.
    async fn sends_a_drawing(&self) {
        let script = "(() => { const canvas = Object.assign(document.createElement('canvas'), { width: 960, height: 480 }); const context = canvas.getContext('2d');
            context.fillStyle = '#d9ecf2'; context.fillRect(0, 0, 960, 480);
            for (let line = 0; line < 7; line += 1) { context.fillStyle = `rgb(${196 - line * 22}, ${226 - line * 18}, ${238 - line * 12})`; context.beginPath(); context.moveTo(0, 480);
              for (let x = 0; x <= 960; x += 12) context.lineTo(x, 130 + line * 52 + 30 * Math.sin(x / 150 + line * 0.9) + 12 * Math.sin(x / 47)); context.lineTo(960, 480); context.fill(); }
            context.fillStyle = '#e9e2cf'; context.beginPath(); context.moveTo(0, 0); context.lineTo(960, 0); context.lineTo(960, 70); context.lineTo(610, 92); context.lineTo(600, 170); context.lineTo(360, 170); context.lineTo(350, 92); context.lineTo(0, 110); context.fill();
            context.strokeStyle = '#8b7b58'; context.lineWidth = 5; context.stroke();
            context.fillStyle = '#173a52'; context.font = '600 26px sans-serif';
            [[120, 200, '5.2'], [300, 250, '6.8'], [470, 220, '7.4'], [640, 260, '7.1'], [800, 210, '5.9'], [220, 350, '9.3'], [480, 360, '11.0'], [740, 370, '10.2']].forEach(([x, y, depth]) => context.fillText(depth, x, y));
            context.font = '700 28px sans-serif'; context.fillStyle = '#5b4d2e'; context.fillText('NORTH QUAY', 392, 132);
            return canvas.toDataURL('image/png').split(',')[1]; })()";
        let picture = self.evaluate(script).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("north-quay.png");
        std::fs::write(&file, BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();
        self.choose_file(".composer input[type=file]", &file).await;
        self.holds("the picture to be uploaded", "document.querySelector('.upload.is-there') !== null").await;
        self.fill("Message harbour", "The sheet, while it is printed:").await;
        self.press_enter().await;
        self.hears("The sheet").await;
    }
}
