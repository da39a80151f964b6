//! One moment of an exploration, the turns that are possible in it, and what must hold at each.

use versioning_core::{
    Attempt, Change, Committing, Content, Current, Effect, Expect, Refusal, Reply, UpdateCreate,
    VersionNumber, WriteOperation,
};

use super::world::{Fault, Kind, World, head};

/// The content of the resource: who left a mark in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Marks(u8);

impl Marks {
    pub(crate) const AT_START: Self = Self(0x80);

    pub(crate) fn of(client: usize) -> Self {
        Self(1 << client)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

const CLIENTS_MAX: usize = 4;

/// One key of a store that compares and swaps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) current: Current,
    pub(crate) body: Marks,
    /// The version that each client's request wrote, as long as it is in the history.
    rows: [Option<VersionNumber>; CLIENTS_MAX],
    /// The history begins after this version.
    purged: VersionNumber,
}

impl Store {
    fn holds(&self, expect: Expect) -> bool {
        match (expect, self.current) {
            (Expect::Absent { floor }, Current::Absent { floor: now }) => floor == now,
            (Expect::Exactly(number), Current::Live(head) | Current::Deleted(head)) => {
                head.version.number == number
            }
            _ => false,
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.current, Current::Live(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase<'w> {
    Look,
    Attempt(Effect<'w>),
    /// The reply to a commit was lost.
    Unresolved(Committing<'w>),
    PurgeLoad {
        tries: u16,
    },
    PurgeCommit {
        tries: u16,
        number: VersionNumber,
    },
    Done(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    /// Looked and found nothing to change, or purged, or gave that up.
    Left,
    Replied(Reply),
}

/// A state and a body, as they were read together.
type Snapshot = (Current, Marks);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Client<'w> {
    phase: Phase<'w>,
    /// What the client itself read before it wrote.
    seen: Option<Snapshot>,
    /// What its attempt was decided on last, and first.
    base: Option<Snapshot>,
    first_base: Option<Snapshot>,
    first_guard: Option<(Expect, VersionNumber)>,
    /// What it really wrote, whether it knows or not.
    written: Option<VersionNumber>,
    turns: u32,
}

/// One moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State<'w> {
    pub(crate) store: Store,
    clients: Vec<Client<'w>>,
    lost_replies: u8,
}

/// A promise that was broken, in words.
pub(crate) type Broken = String;

/// What a turn was, for the trace of a broken promise.
pub(crate) type Turn = (usize, &'static str);

impl<'w> State<'w> {
    pub(crate) fn start(world: &'w World) -> Self {
        let client = |kind: &Kind| {
            let phase = match kind {
                Kind::Purge => Phase::PurgeLoad { tries: 0 },
                kind if kind.reads_first() => Phase::Look,
                kind => Phase::Attempt(attempt(world, *kind, None)),
            };
            let (seen, base, first_base, first_guard) = (None, None, None, None);
            Client { phase, seen, base, first_base, first_guard, written: None, turns: 0 }
        };
        let body = if matches!(world.start, Current::Live(_)) { Marks::AT_START } else { Marks::default() };
        Self {
            store: Store {
                current: world.start,
                body,
                rows: [None; CLIENTS_MAX],
                purged: VersionNumber::NONE,
            },
            clients: world.kinds.iter().map(client).collect(),
            lost_replies: 0,
        }
    }

    /// Every state that one turn of one client leads to. None: all are done.
    pub(crate) fn turns(&self, world: &'w World) -> Result<Vec<(Turn, Self)>, Broken> {
        let mut next = Vec::new();
        for client in 0..self.clients.len() {
            let phase = self.clients[client].phase.clone();
            if matches!(phase, Phase::Done(_)) {
                continue;
            }
            let mut after = self.clone();
            let turns = &mut after.clients[client].turns;
            *turns += 1;
            if *turns > world.turns_max() {
                return Err(format!("client {client} does not end within {} turns", world.turns_max()));
            }
            match phase {
                Phase::Done(_) => {}
                Phase::Look => next.push(((client, "looks"), after.look(client, world))),
                Phase::Attempt(Effect::Load(loading)) => {
                    next.push(((client, "loads"), after.load(client, loading, world)?));
                }
                Phase::Attempt(Effect::Commit(committing)) => {
                    after.commit(client, &committing, world, &mut next)?;
                }
                Phase::Attempt(Effect::Prepare(_) | Effect::Reply(_)) => {
                    return Err(format!("client {client} stopped half-way"));
                }
                Phase::Unresolved(committing) => after.resolve(client, &committing, world, &mut next)?,
                Phase::PurgeLoad { tries } => next.push(((client, "looks"), after.load_purge(client, tries))),
                Phase::PurgeCommit { tries, number } => {
                    next.push(((client, "purges"), after.commit_purge(client, tries, number, world)));
                }
            }
        }
        Ok(next)
    }

    fn look(mut self, client: usize, world: &'w World) -> Self {
        let snapshot = (self.store.current, self.store.body);
        let me = &mut self.clients[client];
        me.phase = match snapshot.0 {
            Current::Live(head) => {
                me.seen = Some(snapshot);
                Phase::Attempt(attempt(world, world.kinds[client], Some(head.version.number)))
            }
            Current::Absent { .. } | Current::Deleted(_) => Phase::Done(Outcome::Left),
        };
        self
    }

    fn load(
        mut self,
        client: usize,
        loading: versioning_core::Loading<'w>,
        world: &'w World,
    ) -> Result<Self, Broken> {
        let snapshot = (self.store.current, self.store.body);
        let me = &mut self.clients[client];
        me.base = Some(snapshot);
        me.first_base.get_or_insert(snapshot);
        let mut effect = loading.handle_loaded(snapshot.0);
        if let Effect::Prepare(preparing) = effect {
            if preparing.current() != snapshot.0 {
                return Err(format!("client {client} prepares for another state than it loaded"));
            }
            let identical = self.is_live_with(self.content(client, world));
            effect =
                preparing.handle_prepared(if identical { Content::Identical } else { Content::Different });
        }
        self.proceed(client, effect, world)
    }

    fn is_live_with(&self, content: Marks) -> bool {
        self.store.is_live() && self.store.body == content
    }

    /// What the client wants to store.
    fn content(&self, client: usize, world: &World) -> Marks {
        let me = &self.clients[client];
        let body = |snapshot: Option<Snapshot>| snapshot.map(|(_, body)| body).unwrap_or_default();
        let own = Marks::of(client);
        match world.kinds[client] {
            Kind::BlindPut | Kind::AnyPut | Kind::CreateOnce | Kind::Create => own,
            Kind::ReadPut | Kind::DatedPut => body(me.seen).and(own),
            Kind::Patch if world.fault == Fault::ContentOfOlderLoad => body(me.first_base).and(own),
            Kind::Patch => body(me.base).and(own),
            Kind::Delete | Kind::ReadDelete | Kind::Purge => Marks::default(),
        }
    }

    /// The ways a commit can go: it holds or not, and the reply comes back or not.
    fn commit(
        self,
        client: usize,
        committing: &Committing<'w>,
        world: &'w World,
        next: &mut Vec<(Turn, Self)>,
    ) -> Result<(), Broken> {
        let mut after = self;
        let mut guard = (committing.expect(), committing.next());
        if world.fault == Fault::GuardOfOlderLoad {
            guard = *after.clients[client].first_guard.get_or_insert(guard);
        }
        let may_lose_reply = after.lost_replies < world.lost_replies_max;
        if may_lose_reply {
            next.push((
                (client, "sends a commit that never arrives"),
                after.clone().unresolved(client, committing),
            ));
        }
        if after.store.holds(guard.0) || world.fault == Fault::GuardIgnored {
            after.apply(client, guard.1, committing.change(), world)?;
            if may_lose_reply {
                next.push(((client, "commits, reply lost"), after.clone().unresolved(client, committing)));
            }
            next.push((
                (client, "commits"),
                after.proceed(client, committing.clone().handle_committed(), world)?,
            ));
        } else {
            if after.clients[client].base.is_some_and(|(current, _)| current == after.store.current) {
                return Err(format!("client {client} lost although nobody else won"));
            }
            if may_lose_reply {
                next.push(((client, "loses, reply lost"), after.clone().unresolved(client, committing)));
            }
            next.push(((client, "loses"), after.lose(client, committing, world)?));
        }
        Ok(())
    }

    fn unresolved(mut self, client: usize, committing: &Committing<'w>) -> Self {
        self.lost_replies += 1;
        self.clients[client].phase = Phase::Unresolved(committing.clone());
        self
    }

    /// The store's side of a commit, with every promise about it.
    fn apply(
        &mut self,
        client: usize,
        next: VersionNumber,
        change: Change,
        world: &World,
    ) -> Result<(), Broken> {
        let kind = world.kinds[client];
        let content = self.content(client, world);
        let replaced = self.store.current;
        let me = &self.clients[client];

        if next.get() != replaced.number().get() + 1 {
            return Err(format!("version {next} follows version {}", replaced.number()));
        }
        if me.written.is_some() {
            return Err(format!("client {client} wrote twice"));
        }
        if kind.reads_first() && me.seen.map(|(current, _)| current) != Some(replaced) {
            return Err(format!("client {client} replaced another version than the one it named"));
        }
        if kind.adds() && content != self.store.body.and(Marks::of(client)) {
            return Err(format!("client {client} overwrote an update it never saw"));
        }
        if me.base.map(|(current, _)| current) != Some(replaced) {
            return Err(format!("client {client} replaced another state than it was decided on"));
        }
        let fits = match (kind, replaced) {
            (Kind::Create, Current::Live(_) | Current::Deleted(_)) | (Kind::CreateOnce, Current::Live(_)) => {
                false
            }
            (Kind::AnyPut | Kind::Patch | Kind::Delete, replaced) => matches!(replaced, Current::Live(_)),
            _ => true,
        };
        if !fits {
            return Err(format!("client {client} wrote over a state that {kind:?} must not touch"));
        }

        let head = head(next, replaced);
        let (current, expected) = match (kind.operation(), replaced) {
            (WriteOperation::Delete, _) => (Current::Deleted(head), Change::Deleted),
            (_, Current::Absent { .. }) => (Current::Live(head), Change::Created),
            (_, Current::Deleted(_)) => (Current::Live(head), Change::Restored),
            (_, Current::Live(_)) => (Current::Live(head), Change::Updated),
        };
        if change != expected {
            return Err(format!("client {client} calls it {change:?} and it is {expected:?}"));
        }
        self.store.current = current;
        self.store.body = content;
        self.store.rows[client] = Some(next);
        self.clients[client].written = Some(next);
        Ok(())
    }

    /// After a lost reply, the driver looks for its request in the store's history.
    fn resolve(
        self,
        client: usize,
        committing: &Committing<'w>,
        world: &'w World,
        next: &mut Vec<(Turn, Self)>,
    ) -> Result<(), Broken> {
        let number = committing.next();
        let was_purged = number <= self.store.purged && world.fault != Fault::PurgedRetried;
        let cannot_tell = committing.clone().handle_unknown();
        next.push(((client, "cannot search"), self.clone().proceed(client, cannot_tell.clone(), world)?));

        let (turn, after) = if world.fault == Fault::UnknownRetried {
            ("does not search", self.lose(client, committing, world)?)
        } else if self.store.rows[client] == Some(number) {
            ("finds its commit", self.proceed(client, committing.clone().handle_committed(), world)?)
        } else if was_purged {
            ("finds a purged history", self.proceed(client, cannot_tell, world)?)
        } else if number <= self.store.current.number() {
            ("finds another's commit", self.lose(client, committing, world)?)
        } else {
            // Nobody wrote that version yet: the same commit, under the same guard, once more.
            ("finds nothing", self.proceed(client, Effect::Commit(committing.clone()), world)?)
        };
        next.push(((client, turn), after));
        Ok(())
    }

    /// Tells the attempt what won instead.
    fn lose(mut self, client: usize, committing: &Committing<'w>, world: &World) -> Result<Self, Broken> {
        self.clients[client].base = Some((self.store.current, self.store.body));
        let effect = match world.fault {
            Fault::LossNotDecided => Effect::Reply(Reply::Refused(Refusal::Contended { attempts: 1 })),
            _ => committing.clone().handle_lost(self.store.current),
        };
        self.proceed(client, effect, world)
    }

    fn proceed(mut self, client: usize, effect: Effect<'w>, world: &World) -> Result<Self, Broken> {
        self.clients[client].phase = match effect {
            Effect::Reply(reply) => {
                self.check_reply(client, reply, world)?;
                // What is no longer needed would only keep equal states apart.
                let me = &mut self.clients[client];
                (me.seen, me.base, me.first_base, me.first_guard, me.turns) = (None, None, None, None, 0);
                Phase::Done(Outcome::Replied(reply))
            }
            effect => Phase::Attempt(effect),
        };
        Ok(self)
    }

    fn check_reply(&self, client: usize, reply: Reply, world: &World) -> Result<(), Broken> {
        let kind = world.kinds[client];
        let me = &self.clients[client];
        let is_true = match reply {
            Reply::Written { number, .. } => me.written == Some(number),
            Reply::Kept(kept) => {
                let base = me.base.map(|(current, _)| current);
                let not_live = !matches!(base, Some(Current::Live(_)));
                me.written.is_none()
                    && matches!(kind, Kind::Delete)
                    && not_live
                    && base.and_then(|current| current.head().copied()) == kept
            }
            Reply::Refused(refusal) => me.written.is_none() && kind.may_hear(refusal, &world.policy),
            Reply::Unknown => self.lost_replies > 0,
        };
        if is_true {
            Ok(())
        } else {
            Err(format!("client {client} ({kind:?}) wrote {:?} and hears {reply:?}", me.written))
        }
    }

    fn load_purge(mut self, client: usize, tries: u16) -> Self {
        self.clients[client].phase = match self.store.current {
            Current::Absent { .. } => Phase::Done(Outcome::Left),
            Current::Live(head) | Current::Deleted(head) => {
                Phase::PurgeCommit { tries, number: head.version.number }
            }
        };
        self
    }

    fn commit_purge(mut self, client: usize, tries: u16, number: VersionNumber, world: &World) -> Self {
        self.clients[client].phase = if self.store.holds(Expect::Exactly(number)) {
            self.store.current = Current::Absent { floor: number };
            self.store.body = Marks::default();
            self.store.purged = number;
            self.store.rows.fill(None);
            Phase::Done(Outcome::Left)
        } else if tries < world.policy.retries_max {
            Phase::PurgeLoad { tries: tries + 1 }
        } else {
            Phase::Done(Outcome::Left)
        };
        self
    }

    /// What must hold once everybody is done.
    pub(crate) fn check_end(&self, world: &World) -> Result<(), Broken> {
        let written: usize = self.clients.iter().filter(|client| client.written.is_some()).count();
        let counted = self.store.current.number().get() - world.start.number().get();
        if u64::try_from(written) != Ok(counted) {
            return Err(format!("{written} commits and {counted} numbers"));
        }
        if world.kinds.iter().all(|kind| kind.adds()) && matches!(world.start, Current::Live(_)) {
            let marks = |marks: Marks, client| {
                if self.has_written(client) { marks.and(Marks::of(client)) } else { marks }
            };
            let expected = (0..self.clients.len()).fold(Marks::AT_START, marks);
            if self.store.body != expected {
                return Err(format!("{:?} is left of {expected:?}", self.store.body));
            }
        }
        if world.kinds.iter().all(|kind| matches!(kind, Kind::CreateOnce | Kind::Create)) {
            let put_creates = world.policy.update_create == UpdateCreate::Allowed
                && world.kinds.contains(&Kind::CreateOnce);
            let may_create = match world.start {
                Current::Live(_) => false,
                Current::Deleted(_) => put_creates,
                Current::Absent { .. } => put_creates || world.kinds.contains(&Kind::Create),
            };
            if written > usize::from(may_create)
                || (self.lost_replies == 0 && written != usize::from(may_create))
            {
                return Err(format!("{written} clients created it"));
            }
        }
        Ok(())
    }

    /// How each client ended, once everybody is done.
    pub(crate) fn endings(&self) -> impl Iterator<Item = &'static str> {
        self.clients.iter().map(|client| match client.phase {
            Phase::Done(Outcome::Left) => "left",
            Phase::Done(Outcome::Replied(reply)) => name(reply),
            _ => "not ended",
        })
    }

    fn has_written(&self, client: usize) -> bool {
        self.clients[client].written.is_some()
    }
}

fn attempt(world: &World, kind: Kind, seen: Option<VersionNumber>) -> Effect<'_> {
    Attempt::start(world.precondition(kind, seen), &world.policy, kind.operation())
}

fn name(reply: Reply) -> &'static str {
    match reply {
        Reply::Written { .. } => "written",
        Reply::Kept(_) => "kept",
        Reply::Unknown => "unknown",
        Reply::Refused(refusal) => match refusal {
            Refusal::IfMatchMissing(_) => "if-match-missing",
            Refusal::Stale(_) => "stale",
            Refusal::NothingToMatch(_) => "nothing-to-match",
            Refusal::Exists(_) => "exists",
            Refusal::NamedByIfNoneMatch(_) => "named",
            Refusal::ModifiedSince(_) => "modified-since",
            Refusal::NotFound => "not-found",
            Refusal::Gone(_) => "gone",
            Refusal::CreateNotAllowed => "create-not-allowed",
            Refusal::IdTaken => "id-taken",
            Refusal::Contended { .. } => "contended",
        },
    }
}
