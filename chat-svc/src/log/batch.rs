//! One transaction: commands decided and stored together.

use std::{
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use bytestring::ByteString;
use diesel::result::Error;
use irongate_shared::{clock::Timestamp, db::Db, id::UserId};
use serde::Serialize;

use super::lane::Job;
use crate::{
    presence::CROWD,
    room::{
        Attachment, AttachmentId, BadText, Body, ClientId, Command, Emoji, Entry, Event, EventKind, Kind,
        Member, Message, Outcome, Profile, ReadMark, Refused, Role, Room, RoomId, RoomName, Seq, Since,
        Topic, With, frame, mentions, role_detail, rules,
    },
    store::{self, mentions::Mention, messages::SentAs},
};

/// Different emoji under one message.
const MOST_REACTIONS: usize = 20;

/// What one transaction did; true once it is committed.
pub(super) struct Done {
    /// One per job, in their order.
    pub answers: Vec<Result<Outcome, Refused>>,
    pub events: Vec<Event>,
    /// Seqs that commands found there already: told again, in case the first telling was lost.
    pub reached: Vec<(RoomId, Seq)>,
    pub gone: Vec<RoomId>,
    pub notices: Vec<Notice>,
}

/// Something for one user, wherever that user's sockets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub user: UserId,
    pub frame: ByteString,
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "notify")]
struct Notify {
    room: RoomId,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
}

/// Why deciding a command ended early: refused, which concerns that command, or a failure, which ends the transaction.
enum Stop {
    Refused(Refused),
    Failed(Error),
}

impl From<Refused> for Stop {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}

impl From<Error> for Stop {
    fn from(why: Error) -> Self {
        Self::Failed(why)
    }
}

/// The transaction under way: what it has loaded, and what it will store.
///
/// A command decides first and writes after, so that a refused one leaves nothing behind.
pub(super) struct Batch<'a> {
    db: &'a mut Db,
    now: Timestamp,
    /// When the job that is decided was asked for.
    asked: Instant,
    /// The rooms of all jobs, locked, as the jobs so far have left them.
    rooms: HashMap<RoomId, Room>,
    /// Memberships that were looked at; absent ones too.
    members: HashMap<(RoomId, UserId), Option<Member>>,
    sent: HashMap<SentAs, Message>,
    new_messages: Vec<Message>,
    new_mentions: Vec<Mention>,
    new_entries: Vec<Entry>,
    /// Read marks that have moved.
    new_marks: HashMap<(RoomId, UserId), Seq>,
    /// Rooms whose row is to be written.
    touched: BTreeSet<RoomId>,
    done: Done,
}

impl<'a> Batch<'a> {
    pub(super) fn run(db: &'a mut Db, now: Timestamp, jobs: &[Job]) -> Result<Done, Error> {
        let mut batch = Self::load(db, now, jobs)?;
        for job in jobs {
            batch.asked = job.asked;
            let answer = match batch.decide(job) {
                Ok(outcome) => Ok(outcome),
                Err(Stop::Refused(why)) => Err(why),
                Err(Stop::Failed(why)) => return Err(why),
            };
            batch.done.answers.push(answer);
        }
        batch.flush()?;
        Ok(batch.done)
    }

    /// Reads in a few queries what most jobs will look at.
    fn load(db: &'a mut Db, now: Timestamp, jobs: &[Job]) -> Result<Self, Error> {
        let ids: BTreeSet<RoomId> = jobs.iter().map(|job| job.room).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let rooms = store::rooms::lock(db, &ids)?.into_iter().map(|room| (room.id, room)).collect();

        let pairs: BTreeSet<_> = jobs.iter().map(|job| (job.room, job.by)).collect();
        let pairs: Vec<_> = pairs.into_iter().collect();
        let mut members: HashMap<_, _> = pairs.iter().map(|pair| (*pair, None)).collect();
        members.extend(
            store::members::find_all(db, &pairs)?.into_iter().map(|(pair, member)| (pair, Some(member))),
        );

        let names: Vec<SentAs> = jobs.iter().filter_map(sent_as).collect();
        let sent = match names.as_slice() {
            [] => HashMap::new(),
            names => store::messages::sent_as(db, names)?
                .into_iter()
                .map(|message| ((message.room, message.from, message.cid.clone()), message))
                .collect(),
        };
        let done = Done {
            answers: Vec::new(),
            events: Vec::new(),
            reached: Vec::new(),
            gone: Vec::new(),
            notices: Vec::new(),
        };
        Ok(Self {
            db,
            now,
            asked: Instant::now(),
            rooms,
            members,
            sent,
            new_messages: Vec::new(),
            new_mentions: Vec::new(),
            new_entries: Vec::new(),
            new_marks: HashMap::new(),
            touched: BTreeSet::new(),
            done,
        })
    }

    /// Stores what was collected. Commands that look at rows which others of the batch may have written come after it.
    fn flush(&mut self) -> Result<(), Error> {
        if !self.new_messages.is_empty() {
            store::messages::insert_all(self.db, &self.new_messages)?;
            self.new_messages.clear();
        }
        if !self.new_mentions.is_empty() {
            store::mentions::insert_all(self.db, &self.new_mentions)?;
            self.new_mentions.clear();
        }
        if !self.new_entries.is_empty() {
            store::log::insert_all(self.db, &self.new_entries)?;
            self.new_entries.clear();
        }
        if !self.new_marks.is_empty() {
            let marks: Vec<_> = self.new_marks.drain().collect();
            store::members::store_marks(self.db, &marks)?;
        }
        let ends: Vec<_> = std::mem::take(&mut self.touched)
            .into_iter()
            .filter_map(|id| self.rooms.get(&id).map(|room| (id, room.last_seq, room.members)))
            .collect();
        if !ends.is_empty() {
            store::rooms::store_ends(self.db, &ends)?;
        }
        Ok(())
    }

    fn decide(&mut self, job: &Job) -> Result<Outcome, Stop> {
        let (room, by) = (job.room, job.by);
        match &job.command {
            Command::Send { .. } | Command::Read { .. } => {}
            _ => self.flush()?,
        }
        match &job.command {
            Command::Send { cid, body, reply_to, attachments } => {
                self.send(room, by, cid, body, *reply_to, attachments)
            }
            Command::Create { kind, name, topic } => self.create(room, by, *kind, name, topic),
            Command::OpenDirect { with } => self.open_direct(room, by, *with),
            Command::Change { name, topic } => self.change(room, by, name.as_ref(), topic.as_ref()),
            Command::Delete => self.delete(room, by),
            Command::Join => self.join(room, by),
            Command::Leave => self.leave(room, by),
            Command::Invite { user } => self.invite(room, by, *user),
            Command::Remove { user } => self.remove(room, by, *user),
            Command::SetRole { user, role } => self.set_role(room, by, *user, *role),
            Command::Ban { user, until, reason } => self.ban(room, by, *user, *until, reason.as_ref()),
            Command::Unban { user } => self.unban(room, by, *user),
            Command::Mute { user, until } => self.mute(room, by, *user, *until),
            Command::Edit { seq, body } => self.edit(room, by, *seq, body),
            Command::DeleteMessage { seq } => self.delete_message(room, by, *seq),
            Command::React { seq, emoji, on } => self.react(room, by, *seq, emoji, *on),
            Command::Read { seq } => self.read(room, by, *seq),
        }
    }

    // Messages

    fn send(
        &mut self,
        room: RoomId,
        by: UserId,
        cid: &ClientId,
        body: &Body,
        reply_to: Option<Seq>,
        files: &[AttachmentId],
    ) -> Result<Outcome, Stop> {
        let name = (room, by, cid.as_str().to_owned());
        if let Some(message) = self.sent.get(&name) {
            self.done.reached.push((room, message.seq));
            return Ok(Outcome::Sent(Box::new(message.clone())));
        }
        self.check_writer(room, by)?;
        if let Some(seq) = reply_to {
            self.flush()?;
            self.message(room, seq)?;
        }
        let attachments = self.uploads(room, by, files)?;
        let seq = self.take_seq(room)?;
        if !files.is_empty() {
            store::attachments::put_in(self.db, files, seq)?;
        }
        let message = Message {
            room,
            seq,
            from: by,
            cid: cid.as_str().to_owned(),
            ts: self.now,
            body: Some(body.as_str().to_owned()),
            reply_to,
            edited_at: None,
            deleted: false,
            attachments,
            reactions: Vec::new(),
        };
        self.tell(message.to_event());
        for user in self.mentioned(room, by, body)? {
            self.notify(user, &Notify { room, why: "mention", seq: Some(message.seq) });
            self.new_mentions.push(Mention { user, room, seq: message.seq });
        }
        self.new_messages.push(message.clone());
        self.sent.insert(name, message.clone());
        Ok(Outcome::Sent(Box::new(message)))
    }

    fn edit(&mut self, room: RoomId, by: UserId, seq: Seq, body: &Body) -> Result<Outcome, Stop> {
        self.check_writer(room, by)?;
        let message = self.message(room, seq)?;
        rules::may_edit(by, message.from)?;
        if message.deleted {
            return Err(Refused::NoSuchMessage.into());
        }
        if body.is_empty() && message.attachments.is_empty() {
            return Err(BadText("Write something, or delete the message.").refused("body").into());
        }
        if message.body.as_deref() == Some(body.as_str()) {
            return Ok(Outcome::Done);
        }
        store::messages::edit(self.db, room, seq, body.as_str(), self.now)?;
        store::mentions::clear(self.db, room, seq)?;
        // Counted, and not told again: an edit is no second call.
        for user in self.mentioned(room, by, body)? {
            self.new_mentions.push(Mention { user, room, seq });
        }
        let with = With::Body(Some(body.as_str().to_owned()));
        self.log(Entry { message: Some(seq), with, ..self.entry(room, by, EventKind::Edit) })
    }

    fn delete_message(&mut self, room: RoomId, by: UserId, seq: Seq) -> Result<Outcome, Stop> {
        let member = self.member(room, by)?.ok_or_else(|| self.stranger(room))?;
        let message = self.message(room, seq)?;
        rules::may_delete(by, member.role, message.from)?;
        if message.deleted {
            return Ok(Outcome::Done);
        }
        store::messages::delete(self.db, room, seq, self.now)?;
        store::attachments::remove_those_in(self.db, room, seq, self.now)?;
        store::reactions::clear(self.db, room, seq)?;
        store::mentions::clear(self.db, room, seq)?;
        self.log(Entry { message: Some(seq), ..self.entry(room, by, EventKind::Delete) })
    }

    fn react(
        &mut self,
        room: RoomId,
        by: UserId,
        seq: Seq,
        emoji: &Emoji,
        on: bool,
    ) -> Result<Outcome, Stop> {
        self.check_writer(room, by)?;
        let message = self.message(room, seq)?;
        if message.deleted {
            return Err(Refused::NoSuchMessage.into());
        }
        let emoji = emoji.as_str();
        if store::reactions::exists(self.db, room, seq, emoji, by)? == on {
            return Ok(Outcome::Done);
        }
        let kind = if on {
            if store::reactions::kinds(self.db, room, seq)? >= MOST_REACTIONS {
                return Err(Refused::NotAllowed("This message has enough different reactions.").into());
            }
            store::reactions::insert(self.db, room, seq, emoji, by, self.now)?;
            EventKind::React
        } else {
            store::reactions::delete(self.db, room, seq, emoji, by)?;
            EventKind::Unreact
        };
        let subject = Some(emoji.to_owned());
        self.log(Entry { message: Some(seq), subject, ..self.entry(room, by, kind) })
    }

    /// Marks are no events: they tell of one reader, and the newest one says it all. Where people talk every message
    /// brings one from each reader, so they are collected like messages.
    fn read(&mut self, room: RoomId, by: UserId, seq: Seq) -> Result<Outcome, Stop> {
        let member = self.member(room, by)?.ok_or_else(|| self.stranger(room))?;
        let seq = seq.min(self.room(room)?.last_seq);
        if seq <= member.last_read {
            return Ok(Outcome::Done);
        }
        self.members.insert((room, by), Some(Member { last_read: seq, ..member }));
        self.new_marks.insert((room, by), seq);
        if self.room(room)?.members > CROWD as i64 {
            // Each reader of a message would tell each of the others: a crowd's frames are the square of it.
            self.done.notices.push(Notice { user: by, frame: frame(&ReadMark { room, user: by, seq }) });
            return Ok(Outcome::Done);
        }
        Ok(Outcome::Marked(seq))
    }

    // Rooms

    fn create(
        &mut self,
        id: RoomId,
        by: UserId,
        kind: Kind,
        name: &RoomName,
        topic: &Topic,
    ) -> Result<Outcome, Stop> {
        if let Some(room) = self.rooms.get(&id) {
            // Its id was made for this command: an earlier run of it has been committed.
            return if room.created_by == by { Ok(Outcome::Done) } else { Err(Refused::NoSuchRoom.into()) };
        }
        let name_key = name.key();
        self.found(id, by, kind, Some((name.as_str().to_owned(), name_key)), topic.as_str().to_owned())?;
        self.add(id, by, by, Role::Owner, EventKind::Joined)
    }

    fn open_direct(&mut self, id: RoomId, by: UserId, with: UserId) -> Result<Outcome, Stop> {
        if self.rooms.contains_key(&id) {
            return Ok(Outcome::Done);
        }
        if by == with {
            return Err(Refused::NotAllowed("A direct conversation takes two.").into());
        }
        if store::profiles::find(self.db, with)?.is_none() {
            return Err(Refused::NoSuchUser.into());
        }
        self.found(id, by, Kind::Direct, None, String::new())?;
        self.add(id, by, by, Role::Member, EventKind::Joined)?;
        self.notify(with, &Notify { room: id, why: "dm", seq: None });
        self.add(id, by, with, Role::Member, EventKind::Joined)
    }

    fn change(
        &mut self,
        id: RoomId,
        by: UserId,
        name: Option<&RoomName>,
        topic: Option<&Topic>,
    ) -> Result<Outcome, Stop> {
        let member = self.member(id, by)?;
        let room = self.room(id)?;
        rules::may_own(room, member.as_ref())?;
        let mut changed = room.clone();
        changed.name = name.map(|name| name.as_str().to_owned()).or(changed.name);
        changed.topic = topic.map_or(changed.topic, |topic| topic.as_str().to_owned());
        if changed == *room {
            return Ok(Outcome::Done);
        }
        let key = changed.name.as_deref().map(crate::room::folded);
        store::rooms::change(self.db, id, changed.name.as_deref(), key.as_deref(), &changed.topic)?;
        let with = With::Room { name: changed.name.clone(), topic: changed.topic.clone() };
        self.rooms.insert(id, changed);
        self.log(Entry { with, ..self.entry(id, by, EventKind::Changed) })
    }

    fn delete(&mut self, id: RoomId, by: UserId) -> Result<Outcome, Stop> {
        let member = self.member(id, by)?;
        rules::may_own(self.room(id)?, member.as_ref())?;
        self.delete_room(id)?;
        Ok(Outcome::Done)
    }

    // Members

    fn join(&mut self, id: RoomId, by: UserId) -> Result<Outcome, Stop> {
        if self.member(id, by)?.is_some() {
            return Ok(Outcome::Done);
        }
        let room = self.room(id)?;
        rules::may_join(room)?;
        // Somebody has to look after a room that everybody had left.
        let role = if room.members == 0 { Role::Owner } else { Role::Member };
        if let Some(until) = store::bans::in_force(self.db, id, by, self.now)? {
            return Err(Refused::Banned { until }.into());
        }
        self.add(id, by, by, role, EventKind::Joined)
    }

    fn invite(&mut self, id: RoomId, by: UserId, user: UserId) -> Result<Outcome, Stop> {
        let inviter = self.member(id, by)?;
        rules::may_invite(self.room(id)?, inviter.as_ref())?;
        if self.member(id, user)?.is_some() {
            return Ok(Outcome::Done);
        }
        if store::profiles::find(self.db, user)?.is_none() {
            return Err(Refused::NoSuchUser.into());
        }
        if store::bans::in_force(self.db, id, user, self.now)?.is_some() {
            return Err(Refused::NotAllowed("That user is banned from this room.").into());
        }
        self.notify(user, &Notify { room: id, why: "invite", seq: None });
        self.add(id, by, user, Role::Member, EventKind::Invited)
    }

    fn leave(&mut self, id: RoomId, by: UserId) -> Result<Outcome, Stop> {
        let room = self.room(id)?;
        let (kind, members) = (room.kind, room.members);
        let Some(member) = self.member(id, by)? else {
            return match kind {
                Kind::Public => Ok(Outcome::Done),
                Kind::Private | Kind::Direct => Err(Refused::NoSuchRoom.into()),
            };
        };
        match kind {
            Kind::Direct => {
                return Err(Refused::NotAllowed("A direct conversation cannot be left.").into());
            }
            // Nobody could ever find it again.
            Kind::Private if members == 1 => {
                self.delete_room(id)?;
                return Ok(Outcome::Done);
            }
            Kind::Private | Kind::Public => {}
        }
        if member.role == Role::Owner && store::members::owners_of(self.db, id)?.len() == 1 {
            self.hand_over(id, by)?;
        }
        self.end(id, by, by, EventKind::Left)
    }

    fn remove(&mut self, id: RoomId, by: UserId, user: UserId) -> Result<Outcome, Stop> {
        if by == user {
            return self.leave(id, by);
        }
        let moderator = self.member(id, by)?;
        let target = self.member(id, user)?;
        rules::may_moderate(self.room(id)?, moderator.as_ref(), target.as_ref())?;
        match target {
            Some(_) => self.end(id, by, user, EventKind::Removed),
            None => Ok(Outcome::Done),
        }
    }

    fn ban(
        &mut self,
        id: RoomId,
        by: UserId,
        user: UserId,
        until: Option<Timestamp>,
        reason: Option<&Topic>,
    ) -> Result<Outcome, Stop> {
        if by == user {
            return Err(Refused::NotAllowed("You cannot ban yourself.").into());
        }
        let moderator = self.member(id, by)?;
        let target = self.member(id, user)?;
        rules::may_moderate(self.room(id)?, moderator.as_ref(), target.as_ref())?;
        if self.room(id)?.kind == Kind::Direct {
            return Err(Refused::NotAllowed("A direct conversation stays between two.").into());
        }
        let reason = reason.map(|reason| reason.as_str().to_owned());
        store::bans::put(self.db, id, &store::bans::Ban { user, by, reason, until, at: self.now })?;
        match target {
            Some(_) => self.end(id, by, user, EventKind::Banned),
            None => Ok(Outcome::Done),
        }
    }

    fn unban(&mut self, id: RoomId, by: UserId, user: UserId) -> Result<Outcome, Stop> {
        let moderator = self.member(id, by)?;
        rules::may_moderate(self.room(id)?, moderator.as_ref(), None)?;
        store::bans::delete(self.db, id, user)?;
        Ok(Outcome::Done)
    }

    fn mute(
        &mut self,
        id: RoomId,
        by: UserId,
        user: UserId,
        until: Option<Timestamp>,
    ) -> Result<Outcome, Stop> {
        let moderator = self.member(id, by)?;
        let target = self.member(id, user)?;
        rules::may_moderate(self.room(id)?, moderator.as_ref(), target.as_ref())?;
        let target = target.ok_or(Refused::NoSuchMember)?;
        if target.muted_until == until {
            return Ok(Outcome::Done);
        }
        self.store_member(id, user, Member { muted_until: until, ..target })?;
        let kind = if until.is_some() { EventKind::Muted } else { EventKind::Unmuted };
        self.log_member(id, by, user, kind, until.map(|until| until.to_string()))
    }

    fn set_role(&mut self, id: RoomId, by: UserId, user: UserId, role: Role) -> Result<Outcome, Stop> {
        let owner = self.member(id, by)?;
        rules::may_own(self.room(id)?, owner.as_ref())?;
        let target = self.member(id, user)?.ok_or(Refused::NoSuchMember)?;
        if target.role == role {
            return Ok(Outcome::Done);
        }
        if target.role == Role::Owner && store::members::owners_of(self.db, id)?.len() == 1 {
            return Err(Refused::LastOwner.into());
        }
        self.store_member(id, user, Member { role, ..target })?;
        self.log_member(id, by, user, EventKind::Role, role_detail(role))
    }

    // Steps

    fn found(
        &mut self,
        id: RoomId,
        by: UserId,
        kind: Kind,
        name: Option<(String, String)>,
        topic: String,
    ) -> Result<(), Stop> {
        let (name, name_key) = name.unzip();
        let room = Room {
            id,
            kind,
            name,
            topic,
            created_by: by,
            last_seq: Seq::ZERO,
            members: 0,
            created_at: self.now,
        };
        store::rooms::insert(self.db, &room, name_key)?;
        self.rooms.insert(id, room);
        Ok(())
    }

    fn add(
        &mut self,
        id: RoomId,
        by: UserId,
        user: UserId,
        role: Role,
        how: EventKind,
    ) -> Result<Outcome, Stop> {
        let room = self.rooms.get_mut(&id).ok_or(Refused::NoSuchRoom)?;
        room.members += 1;
        // What was said before is no news to somebody who comes in.
        let member = Member { role, last_read: room.last_seq.next(), muted_until: None };
        store::members::insert(self.db, id, user, &member, self.now)?;
        self.members.insert((id, user), Some(member));
        self.log_member(id, by, user, how, role_detail(role))
    }

    fn end(&mut self, id: RoomId, by: UserId, user: UserId, how: EventKind) -> Result<Outcome, Stop> {
        let room = self.rooms.get_mut(&id).ok_or(Refused::NoSuchRoom)?;
        room.members -= 1;
        store::members::delete(self.db, id, user)?;
        self.members.insert((id, user), None);
        self.log_member(id, by, user, how, None)
    }

    /// Before the last owner leaves, the one who has been there longest takes over.
    fn hand_over(&mut self, id: RoomId, from: UserId) -> Result<(), Stop> {
        if let Some(heir) = store::members::heir_of(self.db, id, from)?
            && let Some(member) = self.member(id, heir)?
        {
            self.store_member(id, heir, Member { role: Role::Owner, ..member })?;
            self.log_member(id, from, heir, EventKind::Role, role_detail(Role::Owner))?;
        }
        Ok(())
    }

    fn store_member(&mut self, id: RoomId, user: UserId, member: Member) -> Result<(), Error> {
        store::members::update(self.db, id, user, &member)?;
        self.members.insert((id, user), Some(member));
        Ok(())
    }

    fn delete_room(&mut self, id: RoomId) -> Result<(), Error> {
        store::attachments::remove_all_of(self.db, id, self.now)?;
        store::rooms::delete(self.db, id)?;
        self.forget(id);
        Ok(())
    }

    fn forget(&mut self, id: RoomId) {
        self.rooms.remove(&id);
        self.touched.remove(&id);
        self.members.retain(|(room, _), _| *room != id);
        self.done.gone.push(id);
    }

    fn log_member(
        &mut self,
        room: RoomId,
        by: UserId,
        user: UserId,
        kind: EventKind,
        detail: Option<String>,
    ) -> Result<Outcome, Stop> {
        let profile = store::profiles::find(self.db, user)?.unwrap_or_else(|| Profile::unknown(user));
        self.log(Entry {
            subject: Some(user.to_string()),
            detail,
            with: With::Profile(profile),
            ..self.entry(room, by, kind)
        })
    }

    fn entry(&self, room: RoomId, actor: UserId, kind: EventKind) -> Entry {
        Entry {
            room,
            seq: Seq::ZERO,
            kind,
            actor,
            message: None,
            subject: None,
            detail: None,
            at: self.now,
            with: With::Nothing,
        }
    }

    fn log(&mut self, mut entry: Entry) -> Result<Outcome, Stop> {
        entry.seq = self.take_seq(entry.room)?;
        self.tell(entry.to_event());
        let seq = entry.seq;
        self.new_entries.push(entry);
        Ok(Outcome::Logged(seq))
    }

    fn tell(&mut self, event: Event) {
        // The commit is still to come; the lane says when it was.
        let since = Since { asked: self.asked, committed: self.asked };
        self.done.events.push(Event { since: Some(since), ..event });
    }

    fn take_seq(&mut self, id: RoomId) -> Result<Seq, Refused> {
        let room = self.rooms.get_mut(&id).ok_or(Refused::NoSuchRoom)?;
        room.last_seq = room.last_seq.next();
        self.touched.insert(id);
        Ok(room.last_seq)
    }

    fn notify(&mut self, user: UserId, notify: &Notify) {
        self.done.notices.push(Notice { user, frame: frame(notify) });
    }

    // Looking

    fn room(&self, id: RoomId) -> Result<&Room, Refused> {
        self.rooms.get(&id).ok_or(Refused::NoSuchRoom)
    }

    fn check_writer(&mut self, room: RoomId, by: UserId) -> Result<(), Stop> {
        let member = self.member(room, by)?;
        Ok(rules::may_write(self.room(room)?, member.as_ref(), self.now)?)
    }

    fn stranger(&self, id: RoomId) -> Refused {
        self.rooms.get(&id).map_or(Refused::NoSuchRoom, rules::stranger)
    }

    fn member(&mut self, room: RoomId, user: UserId) -> Result<Option<Member>, Error> {
        if let Some(known) = self.members.get(&(room, user)) {
            return Ok(*known);
        }
        let member = store::members::find(self.db, room, user)?;
        self.members.insert((room, user), member);
        Ok(member)
    }

    /// The others in the room whose usernames stand after `@` in the text.
    fn mentioned(&mut self, room: RoomId, by: UserId, body: &Body) -> Result<Vec<UserId>, Error> {
        let names = mentions(body.as_str());
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut named = store::profiles::named(self.db, &names)?;
        named.retain(|user| *user != by);
        store::members::among(self.db, room, &named)
    }

    /// The sender's own uploads to this room that are in no message yet, in the order in which they are named.
    fn uploads(&mut self, room: RoomId, by: UserId, ids: &[AttachmentId]) -> Result<Vec<Attachment>, Stop> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut unsent = store::attachments::lock_unsent(self.db, room, by, ids)?;
        let mut named = ids.iter().map(|id| {
            let place = unsent.iter().position(|upload| upload.id == *id)?;
            Some(unsent.swap_remove(place))
        });
        let all: Option<Vec<_>> = named.by_ref().collect();
        let unknown = BadText("Attach files that you uploaded to this room and have not sent yet.");
        Ok(all.ok_or_else(|| unknown.refused("attachments"))?)
    }

    fn message(&mut self, room: RoomId, seq: Seq) -> Result<Message, Stop> {
        Ok(store::messages::find(self.db, room, seq)?.ok_or(Refused::NoSuchMessage)?)
    }
}

fn sent_as(job: &Job) -> Option<SentAs> {
    match &job.command {
        Command::Send { cid, .. } => Some((job.room, job.by, cid.as_str().to_owned())),
        _ => None,
    }
}
