use std::collections::BTreeMap;

use kube_runtime::reflector::store::Writer;
use proptest::prelude::*;

use super::*;

fn reach(name: &str) -> Reach {
    Reach::Namespace(name.to_owned())
}

fn joined() -> Joined {
    Joined::new([reach("arena"), reach("stadium")])
}

fn object(namespace: &str, name: &str, uid: &str) -> QosSession {
    remains(&Object::new(namespace, name, uid))
}

fn words(events: &[Event<QosSession>]) -> Vec<String> {
    let name = |object: &QosSession| {
        let key = Object::of(object);
        format!("{}/{}", key.namespace, key.name)
    };
    let word = |event: &Event<QosSession>| match event {
        Event::Init => "begin".to_owned(),
        Event::InitApply(object) => format!("listed {}", name(object)),
        Event::InitDone => "end".to_owned(),
        Event::Apply(object) => format!("applied {}", name(object)),
        Event::Delete(object) => format!("deleted {}", name(object)),
    };
    events.iter().map(word).collect()
}

#[test]
fn nothing_is_passed_on_before_the_first_list_of_every_namespace_is_complete() {
    let mut joined = joined();
    let mut quiet = |reach: &Reach, event| assert_eq!(words(&joined.take(reach, event).events), Vec::<String>::new());
    quiet(&reach("arena"), Event::Init);
    quiet(&reach("arena"), Event::InitApply(object("arena", "a", "1")));
    quiet(&reach("arena"), Event::InitApply(object("arena", "b", "2")));
    quiet(&reach("arena"), Event::InitDone);
    // It goes on meanwhile.
    quiet(&reach("arena"), Event::Delete(object("arena", "a", "1")));
    quiet(&reach("arena"), Event::Apply(object("arena", "c", "3")));
    quiet(&reach("stadium"), Event::Init);
    assert!(!joined.is_complete());
    let mut whole = words(&joined.take(&reach("stadium"), Event::InitDone).events);
    assert!(joined.is_complete());
    whole[1..3].sort();
    assert_eq!(whole, ["begin", "listed arena/b", "listed arena/c", "end"]);
    assert_eq!(words(&joined.take(&reach("stadium"), Event::Apply(object("stadium", "d", "4"))).events), ["applied stadium/d"]);
}

#[test]
fn a_later_list_of_one_namespace_says_what_is_gone_there_and_nothing_of_the_others() {
    let mut joined = joined();
    for (namespace, name, uid) in [("arena", "a", "1"), ("arena", "b", "2"), ("stadium", "c", "3")] {
        joined.take(&reach(namespace), Event::Apply(object(namespace, name, uid)));
    }
    for namespace in ["arena", "stadium"] {
        joined.take(&reach(namespace), Event::Init);
        for (name, uid) in if namespace == "arena" { &[("a", "1"), ("b", "2")][..] } else { &[("c", "3")] } {
            joined.take(&reach(namespace), Event::InitApply(object(namespace, name, uid)));
        }
        joined.take(&reach(namespace), Event::InitDone);
    }
    assert!(joined.take(&reach("arena"), Event::Init).events.is_empty());
    // Deleted and made again meanwhile.
    let again = joined.take(&reach("arena"), Event::InitApply(object("arena", "a", "9")));
    assert_eq!(words(&again.events), ["applied arena/a"]);
    let done = joined.take(&reach("arena"), Event::InitDone);
    assert_eq!(words(&done.events), ["deleted arena/b"], "what was made again is there");
    let mut uids: Vec<_> = done.vanished.iter().map(|key| key.uid.as_str()).collect();
    uids.sort_unstable();
    assert_eq!(uids, ["1", "2"], "and the first one is gone all the same");
}

#[test]
fn what_is_waited_for_is_told_with_what_is_wrong_and_is_news_once() {
    let mut joined = joined();
    let forbidden = Cause::of_call(&kube::Error::Api(Box::new(kube::core::Status::failure("no", "Forbidden").with_code(403))));
    assert_eq!(joined.waits_for(), ["namespace arena", "namespace stadium"]);
    assert!(joined.failed(&reach("arena"), &forbidden));
    assert!(!joined.failed(&reach("arena"), &forbidden), "the same again is no news");
    joined.take(&reach("stadium"), Event::Init);
    joined.take(&reach("stadium"), Event::InitDone);
    assert_eq!(joined.waits_for(), ["namespace arena (403 Forbidden)"]);
    assert!(!joined.failed(&reach("stadium"), &forbidden), "it is not waited for any more");
}

/// What happens in a namespace, as its watch may show it.
#[derive(Clone, Debug)]
enum Happening {
    Made(u8),
    Gone(u8),
    /// A new list, during which this one is made, or which breaks off.
    Listed(Option<u8>, bool),
}

fn happening() -> impl Strategy<Value = (bool, Happening)> {
    let what = prop_oneof![
        3 => (0..4_u8).prop_map(Happening::Made),
        2 => (0..4_u8).prop_map(Happening::Gone),
        2 => (proptest::option::of(0..4_u8), any::<bool>()).prop_map(|(made, whole)| Happening::Listed(made, whole)),
    ];
    (any::<bool>(), what)
}

proptest! {
    /// Objects come and go, also while nobody watches; the store is then what is there, and who vanished is who is not.
    #[test]
    fn whatever_the_watches_bring_the_store_is_what_is_there(happenings in proptest::collection::vec(happening(), 0..40)) {
        let mut joined = joined();
        let mut writer = Writer::<QosSession>::new(());
        let store = writer.as_reader();
        // By namespace and name: the uid.
        let mut there: BTreeMap<(&str, u8), u32> = BTreeMap::new();
        let mut told: HashSet<Object> = HashSet::new();
        let mut uid = 0;
        let key = |namespace: &str, name: u8, uid: u32| object(namespace, &name.to_string(), &uid.to_string());
        let end = [(false, Happening::Listed(None, true)), (true, Happening::Listed(None, true))];
        for (second, happening) in happenings.into_iter().chain(end) {
            let namespace = if second { "stadium" } else { "arena" };
            let mut events = Vec::new();
            match happening {
                Happening::Made(name) => {
                    let uid = *there.entry((namespace, name)).or_insert_with(|| { uid += 1; uid });
                    events.push(Event::Apply(key(namespace, name, uid)));
                }
                Happening::Gone(name) => if let Some(uid) = there.remove(&(namespace, name)) {
                    events.push(Event::Delete(key(namespace, name, uid)));
                }
                Happening::Listed(made, whole) => {
                    // While nobody watched, the first one has gone and another one has come.
                    if let Some(name) = made {
                        uid += 1;
                        there.insert((namespace, name), uid);
                        there.remove(&(namespace, (name + 1) % 4));
                    }
                    events.push(Event::Init);
                    let all = there.iter().filter(|((place, _), _)| *place == namespace);
                    events.extend(all.map(|((_, name), uid)| Event::InitApply(key(namespace, *name, *uid))));
                    if whole {
                        events.push(Event::InitDone);
                    } else {
                        // It breaks off before its last object, and is begun again at the end.
                        events.pop();
                    }
                }
            }
            for event in events {
                if let Event::Apply(object) | Event::InitApply(object) = &event {
                    told.insert(Object::of(object));
                }
                let taken = joined.take(&reach(namespace), event);
                for gone in &taken.vanished {
                    told.remove(gone);
                }
                taken.events.iter().for_each(|event| writer.apply_watcher_event(event));
                if !joined.is_complete() {
                    prop_assert!(taken.events.is_empty());
                }
            }
        }
        prop_assert!(joined.is_complete());
        let mut stored: Vec<_> = store.state().iter().map(|object| Object::of(object)).collect();
        let mut told: Vec<_> = told.into_iter().collect();
        let mut expected: Vec<_> = there.iter().map(|((namespace, name), uid)| Object::of(&key(namespace, *name, *uid))).collect();
        for keys in [&mut stored, &mut told, &mut expected] {
            keys.sort();
        }
        prop_assert_eq!(&stored, &expected);
        prop_assert_eq!(&told, &expected, "who vanished is told");
    }
}
