//! More than one of what there is one of by default, as docs/scale.md says: a standby of PostgreSQL, two gateways.

use std::net::{Ipv4Addr, SocketAddr};

use irongate_test_servers::{Postgres, eventually, free_port};
use reqwest::Method;

use crate::support::{
    Backend, Companion, Conversation, Diary, Door, LIMIT, Person, Road, Service, Setup, Site as _, System,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_of_postgresql_can_be_read_and_takes_over_without_the_loss_of_a_message() {
    let primary = Postgres::start_with(&["synchronous_commit=on"]);
    let standby = primary.standby();
    let database = primary.database();
    let name = database.name();
    let both = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    );
    let system = System::start_over(Setup::on(&both).generous()).await;
    let ann = system.newcomer("ann").await;
    let diary = Diary::open(&system, &ann).await;
    diary.write().await;

    // For reports and exports, which need not be of this moment.
    eventually("the message to be at the standby", LIMIT, || async {
        standby.query(name, "SELECT count(*) FROM messages").as_deref() == Ok("1")
    })
    .await;
    let refused = standby.query(name, "DELETE FROM messages").unwrap_err();
    assert!(refused.contains("read-only"), "{refused}");

    diary
        .written_during(async {
            diary.goes_on().await;
            primary.crash();
            for service in Service::ALL {
                system.wait_for(service, "down").await;
            }
            // Whoever watches over the two decides this; the programs find the new one by themselves.
            standby.promote();
            for service in Service::ALL {
                system.wait_for(service, "up").await;
            }
            diary.goes_on().await;
        })
        .await;

    diary.is_complete().await;
    assert!(diary.refused() > 0, "nothing was refused: did anything break?");
    ann.refresh(&system).await.expect(200);
    system.newcomer("bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_behind_a_balancer_are_one_and_either_may_die() {
    let system = System::start_over(Setup::new(Backend::Production).generous()).await;
    let port = free_port();
    let start_second = || second_gateway(&system, port);
    let second = start_second();
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let balancer = Road::to_each(&[here(system.setup.https), here(port)]).await;
    let (at_second, site) = (Door::to(&system, port), Door::to(&system, balancer.address().port()));
    let visitor = system.browserlike();
    let second_is_well = || async {
        let answer = visitor.get(at_second.url("/health")).send().await;
        match answer {
            Ok(answer) => answer.text().await.is_ok_and(|text| text.contains(r#""status":"ok""#)),
            Err(_) => false,
        }
    };
    eventually("the second gateway to be well", LIMIT, second_is_well).await;

    // Who signed in at one is known at the other, and whoever signs out is so at both.
    let made = system.setup.create_admin("root", "correct horse battery staple");
    assert!(made.status.success(), "{made:?}");
    let root = Person::new(&system, "root").sign_in(&system).await;
    root.get(&at_second, "/admin/api/state").await.expect(200);
    root.refresh(&at_second).await.expect(200);
    root.send(&system, Method::POST, "/auth/logout", None).await.expect(204);
    root.get(&at_second, "/admin/api/state").await.problem(401);

    let (ann, bob) = (system.newcomer("ann").await, system.newcomer("bob").await);
    let room = ann.create_room(&system, "harbour").await;
    bob.join(&system, &room).await;
    let (mut anns, mut bobs) = (ann.chat(&system).await, bob.chat(&at_second).await);
    anns.join(&room, None).await;
    bobs.join(&room, None).await;
    anns.say(&room, "Do you hear me over there?").await;
    bobs.hears("Do you hear me over there?").await;
    let last = bobs.say(&room, "I do.").await;
    anns.hears("I do.").await;

    let diary = ann.create_room(&system, "diary").await;
    let mut conversation = Conversation::in_room(&site, &ann, &diary);
    conversation.write().await;
    second.kill();
    bobs.breaks_off().await;
    let mut bobs = bob.chat(&site).await;
    bobs.join(&room, Some(last - 1)).await;
    bobs.hears("I do.").await;
    conversation.write().await;

    let _second = start_second();
    eventually("the second gateway to be well again", LIMIT, second_is_well).await;
    system.kill_gateway();
    anns.breaks_off().await;
    for _ in 0..10 {
        conversation.write().await;
    }
    conversation.is_complete().await;
    // By then the first has been started again.
    eventually("the first gateway to answer", LIMIT, || async { system.answers("/health").await }).await;
}

/// Over the same data directory, and so with the same certificate, in front of the same services.
fn second_gateway(system: &System, https: u16) -> Companion {
    let mut command = system.setup.command(&["gateway"]);
    command.env("GATEWAY_URL", system.url(""));
    command.env("IRONGATE_GATEWAY__LISTEN__HTTPS", format!("127.0.0.1:{https}"));
    command.env("IRONGATE_GATEWAY__LISTEN__HTTP", format!("127.0.0.1:{}", free_port()));
    command.env("IRONGATE_GATEWAY__ADMIN__LISTEN", format!("127.0.0.1:{}", free_port()));
    for service in Service::ALL {
        let socket = system.setup.path(&format!("run/{}-svc.sock", service.name()));
        let variable = format!("IRONGATE_GATEWAY__UPSTREAM__{}__SERVERS", service.name().to_uppercase());
        command.env(variable, format!("unix:{}", socket.display()));
    }
    Companion::start(&mut command)
}
