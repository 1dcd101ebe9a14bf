//! A room of ten thousand messages: what is in the page stays small, and nothing jumps.

use serde_json::Value;

use super::{people::Stage, report, window::Window};

const MESSAGES: u32 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_scroll_without_a_jump() {
    let stage = Stage::start().await;
    let ann = stage.system.newcomer("ann").await;
    let room = ann.create_room(&stage.system, "harbour").await;
    let window = stage.browser.window("ann").await;
    stage.system.rewrite(&format!(
        "WITH RECURSIVE counted (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < {MESSAGES})
         INSERT INTO messages (room_id, seq, sender_id, client_id, body, created_at_ms)
         SELECT id, last_seq + number, created_by, 'c' || number,
                'Message ' || number || substr(' with a few more words, so that lines break here and there', 1, number * 7 % 400),
                created_at_ms - ({MESSAGES} - number) * 60000
         FROM counted, rooms WHERE id = '{room}';
         UPDATE rooms SET last_seq = last_seq + {MESSAGES} WHERE id = '{room}';"
    ));
    stage.sign_in_at(&window, "ann", &format!("/rooms/{room}")).await;
    window.hears(&format!("Message {MESSAGES}")).await;

    reading_back_moves_nothing_but_what_is_scrolled(&window).await;
    the_way_to_the_latest_is_one_click(&window).await;
}

/// Scrolls up by wheel-sized steps. After each, and after the pages that it brought, every row must stand where the
/// scrolling alone put it.
const READ_BACK: &str = "(async () => {
    const scroller = document.querySelector('.messages');
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const jumps = []; const frames = []; let most = 0; let long = 0;
    new PerformanceObserver((list) => { long += list.getEntries().length; }).observe({ type: 'longtask' });
    let before = await frame();
    for (let step = 0; step < 150; step += 1) {
      const middle = scroller.getBoundingClientRect().top + 300;
      const row = [...scroller.querySelectorAll('[data-seq]')].find((one) => one.getBoundingClientRect().top > middle);
      const at = row.getBoundingClientRect().top; const top = scroller.scrollTop;
      scroller.scrollTop -= 120;
      const expected = at + (top - scroller.scrollTop);
      for (let pause = 0; pause < 2; pause += 1) { const now = await frame(); frames.push(now - before); before = now; }
      if (row.isConnected && Math.abs(row.getBoundingClientRect().top - expected) > 1.5) jumps.push([row.dataset.seq, row.getBoundingClientRect().top - expected]);
      most = Math.max(most, scroller.querySelectorAll('.message').length);
      if (scroller.scrollTop < 1) await new Promise((next) => setTimeout(next, 30));
    }
    frames.sort((one, other) => one - other);
    return { jumps, most, long, median: frames[frames.length >> 1], p95: frames[Math.floor(frames.length * 0.95)],
      reached: Number(scroller.querySelector('[data-seq]').dataset.seq) };
  })()";

async fn reading_back_moves_nothing_but_what_is_scrolled(window: &Window) {
    let seen = window.evaluate(READ_BACK).await.unwrap();
    report::keep("long-room", &format!("reading back in a room of {MESSAGES} messages: {seen}\n"));
    assert_eq!(seen["jumps"], Value::Array(vec![]), "{seen}");
    assert!(seen["most"].as_u64().unwrap() <= 230, "{seen}");
    assert!(seen["reached"].as_u64().unwrap() < u64::from(MESSAGES) - 300, "{seen}");
}

async fn the_way_to_the_latest_is_one_click(window: &Window) {
    window.lacks(&format!("Message {MESSAGES}")).await;
    window.click("button", "To the latest").await;
    window.hears(&format!("Message {MESSAGES}")).await;
    window.holds("the end in view", "(() => { const scroller = document.querySelector('.messages'); return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 5; })()").await;
}
