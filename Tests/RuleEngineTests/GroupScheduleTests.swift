import MetricModel
import RuleModel
import Testing

@testable import RuleEngine

@Suite struct GroupScheduleTests {
    private func schedule(_ trigger: RuleGroup.Trigger = .interval, now: Int64 = 1_000_000) -> GroupSchedule {
        GroupSchedule(key: "r.yml;g", interval: .seconds(10), trigger: trigger, now: Timestamp(milliseconds: now))
    }

    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

    @Test func evaluatesAtItsPhaseWhateverTheClockDoesInBetween() {
        var schedule = schedule()
        let first = schedule.due
        #expect(first > at(1_000_000) && first <= at(1_010_000))
        #expect(schedule.next(at: first - .milliseconds(1)) == nil)
        var times: [Timestamp] = []
        for late in [0, 7, 3000] as [Int64] {
            let evaluation = schedule.next(at: schedule.due + .milliseconds(late))
            if let evaluation { times.append(evaluation.time) }
            #expect(evaluation?.missed == 0)
            schedule.finished()
        }
        #expect(times == [first, first + .seconds(10), first + .seconds(20)])
    }

    @Test func phaseDoesNotDependOnTheStart() {
        let phases = [0, 1, 999_999, 1_700_000_000_123].map { schedule(now: $0).due.milliseconds % 10_000 }
        #expect(Set(phases).count == 1)
    }

    @Test func groupsAreSpread() {
        let phases = (0..<100).map {
            GroupSchedule(key: "f;\($0)", interval: .seconds(10), trigger: .interval, now: at(0)).due.milliseconds
        }
        #expect(Set(phases.map { $0 / 1000 }).count > 8)
    }

    @Test func ticksDuringAnEvaluationAreMissed() {
        var schedule = schedule()
        let first = schedule.due
        _ = schedule.next(at: first)
        #expect(schedule.next(at: first + .seconds(25)) == nil)
        schedule.finished()
        let second = schedule.next(at: first + .seconds(25))
        #expect(second?.time == first + .seconds(20))
        #expect(second?.missed == 1)
    }

    @Test func aClockSetBackDoesNotStopEvaluations() {
        var schedule = schedule()
        let first = schedule.due
        _ = schedule.next(at: first)
        schedule.finished()
        let back = first - .hours(2)
        #expect(schedule.next(at: back) == nil)
        let second = schedule.next(at: back + .seconds(10))
        #expect(second?.time == first + .milliseconds(1))
    }

    @Test func scrapesCauseEvaluationsAtTheirOwnTime() {
        var schedule = schedule(.scrape)
        schedule.scrapeCommitted(at: at(1_000_500), nanoseconds: 77)
        let evaluation = schedule.next(at: at(1_000_600))
        #expect(evaluation == .init(time: at(1_000_500), missed: 0, causeNanoseconds: 77))
    }

    @Test func scrapesDuringAnEvaluationAreTakenTogether() {
        var schedule = schedule(.scrape)
        schedule.scrapeCommitted(at: at(1_000_500), nanoseconds: 77)
        _ = schedule.next(at: at(1_000_600))
        schedule.scrapeCommitted(at: at(1_000_700), nanoseconds: 100)
        schedule.scrapeCommitted(at: at(1_000_650), nanoseconds: 110)
        #expect(schedule.next(at: at(1_000_800)) == nil)
        schedule.finished()
        #expect(schedule.next(at: at(1_000_800)) == .init(time: at(1_000_700), missed: 0, causeNanoseconds: 100))
        schedule.finished()
        #expect(schedule.next(at: at(1_000_800)) == nil)
    }

    @Test func evaluationTimesRiseEvenWhereScrapesDoNot() {
        var schedule = schedule(.scrape)
        var times: [Int64] = []
        for time in [1_000_500, 1_000_500, 1_000_400] as [Int64] {
            schedule.scrapeCommitted(at: at(time), nanoseconds: 1)
            if let evaluation = schedule.next(at: at(1_000_600)) { times.append(evaluation.time.milliseconds) }
            schedule.finished()
        }
        #expect(times == [1_000_500, 1_000_501, 1_000_502])
    }

    @Test func theClockStepsInOnlyWhereScrapesStayAway() {
        var schedule = schedule(.scrape)
        schedule.scrapeCommitted(at: schedule.due - .seconds(5), nanoseconds: 1)
        _ = schedule.next(at: schedule.due - .seconds(5))
        schedule.finished()
        let first = schedule.due
        #expect(schedule.next(at: first) == nil)
        #expect(schedule.next(at: first + .seconds(10))?.time == first + .seconds(10))
    }

    @Test func scrapesDoNotDisturbGroupsOnTheClock() {
        var schedule = schedule(.interval)
        let before = schedule
        schedule.scrapeCommitted(at: at(1_000_500), nanoseconds: 1)
        #expect(schedule == before)
    }
}
