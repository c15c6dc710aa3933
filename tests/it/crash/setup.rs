//! With which generation a life is lived and what happens in it: what follows from both, the protocol's times above all.

use std::fmt;
use std::time::Duration;

use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::{Operation, Overlap, Settings};

/// Where notifications would go. Nobody is there: what is promised here rests on the list alone.
const CALLBACK: &str = "https://qos.example.com/notify";
/// `--send-window`, `--late-effect` + requestTimeoutSeconds, `--requested-max`, `--clock-skew`, in seconds.
const MARGINS: [i64; 4] = [1, 1 + 1, 2, 1];
/// `--list-lag`, and how far the simulator's list does lag, in seconds.
const LAG: i64 = 1;
/// A lease that is renewed within the test, in seconds; without a list all leases, since what is lost is outlived.
const SHORT_LEASE: i64 = 10;
/// The lease where nothing may rest on its end: it comes long after the test has given up.
const LONG_LEASE: i64 = 60;

/// What the session lives through between its creation and its deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    Plain,
    /// Renewed by an extend.
    Extended,
    /// Renewed by release and create: the provider has no extend.
    Reissued,
    /// `qosProfile` is edited.
    Edited,
    /// The network ends it.
    Terminated,
    /// `qosProfile` is edited, at a provider that would open a second session beside the first.
    Accepting,
}

impl Scene {
    pub(crate) const ALL: [Self; 6] =
        [Self::Plain, Self::Extended, Self::Reissued, Self::Edited, Self::Terminated, Self::Accepting];

    pub(crate) const fn steps(self) -> &'static [Step] {
        match self {
            Self::Plain => &[Step::Create, Step::Delete],
            _ => &[Step::Create, Step::Change, Step::Delete],
        }
    }
}

/// A part of the life, from something that is done to the session until the operator has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The operator starts, and the object is there.
    Create,
    /// What the scene is about.
    Change,
    /// The object is deleted.
    Delete,
}

/// A scene with a provider of a generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) generation: Generation,
    pub(crate) scene: Scene,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.generation, self.scene)
    }
}

impl Setup {
    /// All that can be: there is no extend before v0.10.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of = |generation| {
            let can = move |scene: &Scene| *scene != Scene::Extended || generation >= Generation::V0_10;
            Scene::ALL.into_iter().filter(can).map(move |scene| Self { generation, scene })
        };
        Generation::ALL.into_iter().flat_map(of)
    }

    /// Sessions can be listed, with their callback URL: one whose id is lost is found.
    pub(crate) fn lists(self) -> bool {
        self.generation >= Generation::V0_11
    }

    /// In seconds.
    pub(crate) fn lease(self) -> i64 {
        let renewed = matches!(self.scene, Scene::Extended | Scene::Reissued);
        if self.lists() && !renewed { LONG_LEASE } else { SHORT_LEASE }
    }

    /// How long the simulator keeps what the network has ended, in seconds; with a list so long that nobody can wait for it.
    fn retention(self) -> i64 {
        if self.lists() { 30 } else { 3 }
    }

    fn lag(self) -> i64 {
        if self.lists() { LAG } else { 0 }
    }

    /// By when a create that was sent has been received and shows in the list, or never does, in seconds after its record; the
    /// record's times are whole seconds.
    pub(crate) fn settle(self) -> Duration {
        let [window, late, _, skew] = MARGINS;
        Duration::from_secs((window + late + self.lag() + skew + 1).cast_unsigned())
    }

    /// By when nothing of a create can be alive, in seconds after its record.
    pub(crate) fn death(self) -> Duration {
        Duration::from_secs((MARGINS.iter().sum::<i64>() + self.lease()).cast_unsigned())
    }

    /// After that the test gives up. With a list that is before the death of a create: nothing is saved by waiting for it.
    pub(crate) fn patience(self) -> Duration {
        Duration::from_secs(30) + if self.lists() { self.settle() } else { self.death() }
    }

    pub(crate) fn change(self, settings: &mut Settings) {
        settings.retention_seconds = self.retention();
        settings.list_lag_seconds = self.lag();
        match self.scene {
            Scene::Reissued => drop(settings.operations_off.insert(Operation::Extend, 405)),
            Scene::Accepting => settings.overlap = Overlap::Off,
            _ => {}
        }
    }

    pub(crate) fn arguments(self, namespace: &str) -> Vec<String> {
        let [window, late, requested, skew] = MARGINS;
        let mut flags = vec![
            ("--namespace", namespace.to_owned()),
            ("--watch-namespaces", namespace.to_owned()),
            ("--session-selector", format!("stage={namespace}")),
            ("--send-window", format!("{window}s")),
            ("--late-effect", format!("{}s", late - 1)),
            ("--list-lag", format!("{}s", self.lag())),
            ("--requested-max", format!("{requested}s")),
            ("--clock-skew", format!("{skew}s")),
            ("--retention", format!("{}s", self.retention())),
            ("--renewal-margin", "3s".to_owned()),
            ("--log-level", "info,qos_operator=debug".to_owned()),
        ];
        if self.lists() {
            flags.push(("--callback-url", CALLBACK.to_owned()));
        }
        flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }
}

/// What the environment variable `CRASH` asks for, in words: `generations` is every scene with every generation, `all` is creation
/// and deletion in every scene too; names of scenes and of generations leave only those.
pub(crate) struct Asked(Vec<String>);

impl Asked {
    #[expect(clippy::disallowed_methods, reason = "the one setting of this test; the operator's come from its arguments")]
    pub(crate) fn read() -> Self {
        let asked = Self(std::env::var("CRASH").unwrap_or_default().split_whitespace().map(str::to_owned).collect());
        let known = |word: &String| {
            ["all", "generations"].contains(&word.as_str())
                || Setup::all().any(|setup| word == setup.generation.name() || *word == format!("{:?}", setup.scene))
        };
        assert!(asked.0.iter().all(known), "CRASH has words of: generations, all, v0.8 to v1.2, {:?}", Scene::ALL);
        asked
    }

    fn says(&self, word: &str) -> bool {
        self.0.iter().any(|said| said == word)
    }

    /// Without a word all scenes of v0.10, and the plain one of a generation that has still less, and of one that has a list.
    pub(crate) fn setups(&self) -> Vec<Setup> {
        let generations = self.says("generations") || Generation::ALL.iter().any(|generation| self.says(generation.name()));
        let named = |setup: &Setup| {
            if generations {
                self.says("generations") || self.says(setup.generation.name())
            } else {
                let also = self.0.is_empty() && [Generation::V0_9, Generation::V1_1].contains(&setup.generation);
                setup.generation == Generation::V0_10 || (also && setup.scene == Scene::Plain)
            }
        };
        let scenes = Scene::ALL.iter().any(|scene| self.says(&format!("{scene:?}")));
        let setups: Vec<_> = Setup::all().filter(named).filter(|s| !scenes || self.says(&format!("{:?}", s.scene))).collect();
        assert!(!setups.is_empty(), "no such scene: {:?}", self.0);
        setups
    }

    /// Whether creation and deletion are struck in this scene, or its change.
    pub(crate) fn strikes(&self, scene: Scene, step: Step) -> bool {
        self.says("all") || (step == Step::Change) != (scene == Scene::Plain)
    }
}
