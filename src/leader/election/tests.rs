use super::*;

const PACE: Pace = Pace {
    lease_duration: Duration::from_secs(20),
    renew_deadline: Duration::from_secs(15),
    retry_period: Duration::from_secs(4),
};

/// Seconds after a start, on one monotonic clock.
#[derive(Clone, Copy)]
struct Line(Instant);

impl Line {
    fn at(self, seconds: f64) -> Instant {
        self.0 + Duration::from_secs_f64(seconds)
    }
}

fn line() -> Line {
    Line(Instant::now())
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn held_by(holder: &str, renewed: i64) -> Record {
    Record::default().taken(holder, PACE.lease_duration, None, wall(0)).renewed(wall(renewed))
}

/// A holder since `at`, by the record that it wrote.
fn holder(line: Line, at: f64) -> (Election, Record) {
    let mut election = Election::new("a", PACE, line.at(0.0));
    let record = held_by("a", 0);
    election.wrote(&record, Written::Done, line.at(at), line.at(at + 0.1), 0.0);
    (election, record)
}

#[test]
fn a_lease_that_is_not_there_or_that_nobody_holds_is_taken_at_once() {
    let line = line();
    for record in [None, Some(Record::default()), Some(held_by("b", 0).released(wall(1)))] {
        let mut election = Election::new("a", PACE, line.at(0.0));
        assert_eq!(election.step(line.at(0.0)), Step::Look);
        election.looked(record.as_ref(), line.at(0.0), 0.0);
        assert_eq!(election.step(line.at(0.0)), Step::Take, "{record:?}");
        assert_eq!(election.held_until(), None, "not before it is written");
    }
}

#[test]
fn a_candidate_waits_the_whole_lease_from_its_own_first_look_whatever_the_record_says_of_time() {
    let line = line();
    // Renewed long ago, or in the future, by the holder's clock.
    for renewed in [-100_000, 100_000] {
        let mut election = Election::new("a", PACE, line.at(0.0));
        let record = held_by("b", renewed);
        for second in [5.0, 15.0, 24.9] {
            election.looked(Some(&record), line.at(second), 0.0);
            assert!(matches!(election.step(line.at(second)), Step::Rest(_)), "at {second}");
        }
        election.looked(Some(&record), line.at(25.0), 0.0);
        assert_eq!(election.step(line.at(25.0)), Step::Take);
    }
}

#[test]
fn each_renewal_that_a_candidate_sees_begins_the_wait_anew() {
    let line = line();
    let mut election = Election::new("a", PACE, line.at(0.0));
    election.looked(Some(&held_by("b", 0)), line.at(0.0), 0.0);
    election.looked(Some(&held_by("b", 4)), line.at(19.0), 0.0);
    election.looked(Some(&held_by("b", 4)), line.at(38.0), 0.0);
    assert!(matches!(election.step(line.at(38.0)), Step::Rest(_)));
    election.looked(Some(&held_by("b", 4)), line.at(39.0), 0.0);
    assert_eq!(election.step(line.at(39.0)), Step::Take);
}

#[test]
fn the_wait_is_that_of_the_holders_record_not_the_candidates_own() {
    let line = line();
    let long = Record { duration: Some(Duration::from_mins(1)), ..held_by("b", 0) };
    let mut election = Election::new("a", PACE, line.at(0.0));
    for second in [0.0, 59.0] {
        election.looked(Some(&long), line.at(second), 0.0);
        assert!(matches!(election.step(line.at(second)), Step::Rest(_)), "at {second}");
    }
    election.looked(Some(&long), line.at(60.0), 0.0);
    assert_eq!(election.step(line.at(60.0)), Step::Take);
}

#[test]
fn a_lease_that_is_deleted_under_its_holder_is_not_taken_before_that_holders_time_is_over() {
    let line = line();
    let mut election = Election::new("a", PACE, line.at(0.0));
    election.looked(Some(&held_by("b", 0)), line.at(0.0), 0.0);
    for second in [1.0, 10.0, 20.9] {
        election.looked(None, line.at(second), 0.0);
        assert!(matches!(election.step(line.at(second)), Step::Rest(_)), "at {second}");
    }
    election.looked(None, line.at(21.0), 0.0);
    assert_eq!(election.step(line.at(21.0)), Step::Take);
}

#[test]
fn who_loses_the_race_for_a_free_lease_looks_and_waits_like_any_candidate() {
    let line = line();
    let mut election = Election::new("a", PACE, line.at(0.0));
    election.looked(None, line.at(0.0), 0.0);
    election.wrote(&held_by("a", 0), Written::Conflict, line.at(0.0), line.at(0.1), 0.0);
    assert_eq!(election.step(line.at(0.1)), Step::Look);
    election.looked(Some(&held_by("b", 0)), line.at(0.2), 0.0);
    assert!(matches!(election.step(line.at(0.2)), Step::Rest(_)));
}

#[test]
fn a_holder_renews_within_half_of_the_retry_period_and_holds_from_before_each_renewal_was_sent() {
    let line = line();
    let (mut election, record) = holder(line, 0.0);
    assert_eq!(election.held_until(), Some(line.at(20.0)));
    assert_eq!(election.step(line.at(0.1)), Step::Rest(line.at(2.0)));
    assert_eq!(election.step(line.at(2.0)), Step::Renew);
    election.wrote(&record.renewed(wall(2)), Written::Done, line.at(2.0), line.at(4.5), 0.0);
    assert_eq!(election.held_until(), Some(line.at(22.0)), "not from when the answer came");
}

#[test]
fn a_renewal_that_fails_is_tried_again_until_the_deadline_and_then_the_lease_is_lost() {
    let line = line();
    let (mut election, record) = holder(line, 0.0);
    let (mut now, mut tries) = (2.0, 0);
    while election.step(line.at(now)) == Step::Renew {
        tries += 1;
        election.wrote(&record, Written::Failed, line.at(now), line.at(now + 3.0), 0.0);
        now += 3.0;
    }
    assert_eq!((election.step(line.at(now)), tries), (Step::Lost(Loss::Deadline), 5));
    assert!(line.at(now) < election.held_until().unwrap(), "it ends before another may begin");
}

#[test]
fn a_refusal_that_comes_at_once_is_followed_by_a_pause() {
    let line = line();
    let (mut election, record) = holder(line, 0.0);
    election.wrote(&record, Written::Failed, line.at(2.0), line.at(2.01), 0.0);
    assert_eq!(election.step(line.at(2.01)), Step::Rest(line.at(2.5)));
}

#[test]
fn a_holder_rests_no_longer_than_to_its_deadline() {
    let line = line();
    let (mut election, record) = holder(line, 0.0);
    election.wrote(&record, Written::Failed, line.at(14.8), line.at(14.9), 0.0);
    assert_eq!(election.step(line.at(14.9)), Step::Rest(line.at(15.0)));
    assert_eq!(election.step(line.at(15.0)), Step::Lost(Loss::Deadline));
}

#[test]
fn a_conflict_is_settled_by_a_look_which_tells_an_own_late_write_from_anothers() {
    let line = line();
    let conflict = || {
        let (mut election, record) = holder(line, 0.0);
        election.wrote(&record, Written::Conflict, line.at(2.0), line.at(2.1), 0.0);
        assert_eq!(election.step(line.at(2.1)), Step::Look);
        (election, record)
    };
    let (mut election, record) = conflict();
    election.looked(Some(&record.renewed(wall(1))), line.at(2.2), 0.0);
    assert_eq!(election.step(line.at(2.2)), Step::Renew, "an earlier try had been written");
    assert_eq!(election.held_until(), Some(line.at(20.0)), "and says nothing on when it was sent");

    let others_term = Record { acquired: Some(wall(9)), ..held_by("a", 9) };
    for (record, loss) in [
        (Some(held_by("b", 3)), Loss::Taken("b".to_owned())),
        (Some(others_term), Loss::SameName),
        (Some(record.released(wall(3))), Loss::Cleared),
        (None, Loss::Cleared),
    ] {
        let (mut election, _) = conflict();
        election.looked(record.as_ref(), line.at(2.2), 0.0);
        assert_eq!((election.step(line.at(2.2)), election.held_until()), (Step::Lost(loss), None));
    }
}

#[test]
fn a_holder_that_cannot_look_after_a_conflict_tries_to_look_again_until_its_deadline() {
    let line = line();
    let (mut election, record) = holder(line, 0.0);
    election.wrote(&record, Written::Conflict, line.at(2.0), line.at(2.1), 0.0);
    election.not_looked(line.at(2.1), line.at(2.2), 0.0);
    assert!(matches!(election.step(line.at(2.2)), Step::Rest(_)), "not without a pause");
    assert_eq!(election.step(line.at(2.6)), Step::Look);
    assert_eq!(election.step(line.at(15.0)), Step::Lost(Loss::Deadline));
}

#[test]
fn a_later_life_under_the_same_name_takes_the_lease_at_once_with_a_term_of_its_own() {
    let line = line();
    let mut election = Election::new("a", PACE, line.at(0.0));
    let before = held_by("a", 0);
    election.looked(Some(&before), line.at(0.0), 0.0);
    assert_eq!(election.step(line.at(0.0)), Step::Take);
    let record = before.taken("a", PACE.lease_duration, None, wall(7));
    assert_ne!(record.acquired, before.acquired);
    election.wrote(&record, Written::Done, line.at(0.0), line.at(0.1), 0.0);
    assert_eq!(election.held_until(), Some(line.at(20.0)));
}

#[test]
fn of_two_with_a_clock_each_no_one_begins_before_the_others_fence_has_ended() {
    // Whatever the delay of a renewal's answer, and whenever the candidate looks: its taking lies behind the holder's end.
    let line = line();
    for sent in 0..40 {
        for way in [0.0, 0.3, 2.9] {
            let sent = f64::from(sent) * 0.25;
            let (mut holder, record) = holder(line, 0.0);
            let renewed = record.renewed(wall(1));
            holder.wrote(&renewed, Written::Done, line.at(sent), line.at(sent + 2.0 * way), 0.0);
            let mut candidate = Election::new("b", PACE, line.at(0.0));
            let mut now = 0.0;
            while candidate.step(line.at(now)) != Step::Take {
                // The renewal takes effect after `way`.
                let there = if now >= sent + way { &renewed } else { &record };
                candidate.looked(Some(there), line.at(now), 0.5);
                if candidate.step(line.at(now)) != Step::Take {
                    now += 0.9;
                }
            }
            assert!(line.at(now) >= holder.held_until().unwrap(), "sent {sent}, way {way}");
        }
    }
}
