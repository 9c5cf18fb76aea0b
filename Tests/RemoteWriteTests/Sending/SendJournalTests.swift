import MetricModel
import Scraper
import Testing

@testable import MetricStore
@testable import RemoteWrite

@Suite struct SendJournalTests {
    @Test func theJournalSurvivesItsFile() {
        var journal = SendJournal(fingerprint: "f1")
        journal.delivered.lanes[3] = .init(name: "a b\nc\\n", rows: 7)
        journal.delivered.lanes[4] = .init(name: "", rows: 0)
        journal.delivered.exemplarsThrough = -5
        #expect(SendJournal(text: journal.text) == journal)
        journal.portions = [
            SendPortion(time: 1000, shards: 2, ends: [3: .init(name: "a b\nc\\n", rows: 9)]),
            SendPortion(time: 2000, shards: 1),
            SendPortion(time: 3000, shards: 1, ends: [4: .init(name: "portion 1 1", rows: 5)]),
        ]
        #expect(SendJournal(text: journal.text) == journal)
        #expect(SendJournal(text: "") == nil)
        #expect(SendJournal(text: journal.text + "x y z") == nil)
        #expect(SendJournal(text: journal.text + "portion 1 0") == nil)
    }

    @Test func theFingerprintChangesWithEverythingThatDecidesAboutRequests() {
        let plain = RemoteWriteSettings(url: "u")
        var changed: [RemoteWriteSettings] = []
        for change in [
            { $0.message = .version2 }, { $0.queue.samplesPerSend = 1 }, { $0.sendsNativeHistograms = true },
            { $0.queue.sampleAgeLimit = .seconds(1) }, { $0.relabelRules = [RelabelRule()] },
        ] as [(inout RemoteWriteSettings) -> Void] {
            var settings = plain
            change(&settings)
            changed.append(settings)
        }
        var all = Set(changed.map { RequestBuilder.fingerprint($0, externalLabels: [:]) })
        all.insert(RequestBuilder.fingerprint(plain, externalLabels: [:]))
        all.insert(RequestBuilder.fingerprint(plain, externalLabels: ["a": "b"]))
        #expect(all.count == 7)
        var other = plain
        other.queue.maximumShards = 2
        #expect(
            RequestBuilder.fingerprint(other, externalLabels: [:])
                == RequestBuilder.fingerprint(plain, externalLabels: [:]))
    }
}

extension PortionPlanner {
    /// The ends of the next portion; `nil` if nothing is sent now.
    fileprivate mutating func next(
        _ lanes: [CommittedRows.LanePosition], from positions: SendPositions, shards: Int, hasExemplars: Bool,
        now: Int64
    ) -> [UInt32: SendPositions.Lane]? {
        isDue(lanes, from: positions, shards: shards, hasExemplars: hasExemplars, now: now)
            ? Self.ends(of: lanes, from: positions) : nil
    }
}

@Suite struct PortionPlannerTests {
    private func lanes(_ rows: Int..., columns: Int = 10, closed: Set<Int> = []) throws
        -> [CommittedRows.LanePosition]
    {
        // Numbers of lanes are the store's to give.
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        return try rows.enumerated().map { index, rows in
            .init(
                lane: try store.openLane("\(index)").id, name: "\(index)", rows: rows, columns: columns,
                isClosed: closed.contains(index))
        }
    }

    private func ends(_ planned: [UInt32: SendPositions.Lane]?) -> [UInt32: Int]? { planned?.mapValues(\.rows) }

    @Test func aFewSamplesWaitForTheDeadline() throws {
        var planner = PortionPlanner(.init())
        let lanes = try lanes(3, 0)
        func next(_ now: Int64) -> [UInt32: Int]? {
            ends(planner.next(lanes, from: .init(), shards: 1, hasExemplars: false, now: now))
        }
        #expect(next(10_000) == nil)
        #expect(next(14_999) == nil)
        #expect(next(15_000) == [0: 3])
        #expect(next(15_001) == nil)
        #expect(next(20_001) == [0: 3])
    }

    @Test func samplesThatFillTheRequestsOfAllSendersWaitASecond() throws {
        var planner = PortionPlanner(.init())
        // 6000 samples are three requests.
        let lanes = try lanes(30, 30, columns: 100)
        func next(_ now: Int64, shards: Int) -> [UInt32: Int]? {
            ends(planner.next(lanes, from: .init(), shards: shards, hasExemplars: false, now: now))
        }
        #expect(next(10_000, shards: 4) == nil)
        #expect(next(10_001, shards: 3) == [0: 30, 1: 30])
        #expect(next(10_900, shards: 3) == nil)
        #expect(next(11_001, shards: 3) == [0: 30, 1: 30])
    }

    @Test func aBacklogIsSentInPortionsOfLimitedSize() throws {
        var planner = PortionPlanner(.init())
        var positions = SendPositions()
        positions.lanes[0] = .init(name: "0", rows: 100)
        positions.lanes[1] = .init(name: "another name", rows: 100)
        let lanes = try lanes(1000, 1000, columns: 10_000)
        let planned = planner.next(lanes, from: positions, shards: 1, hasExemplars: false, now: 0)
        #expect(ends(planned) == [0: 120, 1: 20])
        #expect(ends(planner.next(lanes, from: positions, shards: 1, hasExemplars: false, now: 1)) != nil)
    }

    @Test func closedLanesComeFirstOneAfterTheOther() throws {
        var planner = PortionPlanner(.init())
        let lanes = try lanes(50, 60, 70, columns: 5000, closed: [1, 2])
        let planned = planner.next(lanes, from: .init(), shards: 1, hasExemplars: false, now: 0)
        #expect(ends(planned) == [1: 60, 2: 20])
        var positions = SendPositions()
        positions.advance(through: SendPortion(time: 0, shards: 1, ends: planned ?? [:]))
        #expect(
            ends(planner.next(lanes, from: positions, shards: 1, hasExemplars: false, now: 0)) == [2: 70])
    }

    @Test func exemplarsAloneWaitForTheDeadlineToo() throws {
        var planner = PortionPlanner(.init())
        let lanes = try lanes(0)
        #expect(planner.next(lanes, from: .init(), shards: 1, hasExemplars: true, now: 0) == nil)
        #expect(planner.next(lanes, from: .init(), shards: 1, hasExemplars: true, now: 5000) == [:])
        #expect(planner.next(lanes, from: .init(), shards: 1, hasExemplars: false, now: 20_000) == nil)
    }
}
