import Database
import MetricModel
import TestSupport
import Testing

@testable import History

@Suite(.serialized) struct InvariantTests {
    @Test func `each broken position of a spool is found`() {
        var sound = Spool.State()
        sound.durable = 3
        sound.accepted = 5
        sound.pendingBytes = 80
        sound.segments = [1, 3]
        #expect(sound.problem(pending: 2) == nil)
        #expect(sound.problem(pending: 1)?.contains("wait") == true)
        func broken(_ change: (inout Spool.State) -> Void) -> String? {
            var state = sound
            change(&state)
            return state.problem(pending: 2)
        }
        #expect(broken { $0.durable = 6 }?.contains("only 5 records were accepted") == true)
        #expect(broken { $0.pendingBytes = 0 }?.contains("with 0 bytes") == true)
        #expect(broken { $0.pendingBytes = -1 }?.contains("with -1 bytes") == true)
        #expect(broken { $0.segments = [3, 1] }?.contains("not ascending") == true)
        #expect(broken { $0.segments = [1, 1] }?.contains("not ascending") == true)
        #expect(broken { $0.segments = [1, 5] }?.contains("exists before record 4") == true)
        #expect(broken { $0.segments = [1, 4] } == nil)
    }

    @Test(arguments: EvidenceWorld.kinds) func `each broken position of a ledger is found`(kind: EvidenceWorld.Kind)
        throws
    {
        let world = try EvidenceWorld(kind)
        let runner = try world.start()
        for number in 1...Int64(300) { runner.record(world.event(number)) }
        runner.record(
            measurements: [
                Measurement(labels: ["__name__": "m"], timestamp: Timestamp(milliseconds: 1_700_000_000_000), value: 1)
            ])
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        #expect(try world.ledger().checkInvariants() == nil)
        let size = try world.size()
        for (script, undo, problem) in [
            (
                "UPDATE ledger SET sequence = 9999 WHERE sequence = \(size)",
                "UPDATE ledger SET sequence = \(size) WHERE sequence = 9999", "the last one is 9999"
            ),
            ("UPDATE log SET next_series = 1", "UPDATE log SET next_series = 2", "series 1 exists"),
            (
                "INSERT INTO checkpoint (size, note) VALUES (9999, '')", "DELETE FROM checkpoint WHERE size = 9999",
                "covers 9999"
            ),
            ("DELETE FROM tree_node", "", "0 subtrees are kept"),
        ] {
            try world.configuration.openStore().run(script)
            #expect(try world.ledger().checkInvariants()?.contains(problem) == true, "\(script)")
            if !undo.isEmpty { try world.configuration.openStore().run(undo) }
        }
        // The next start completes the kept subtrees again.
        try world.record(301...301)
        #expect(try world.ledger().checkInvariants() == nil)
        try world.configuration.openStore().run(
            "UPDATE log SET previous = (SELECT hash FROM ledger WHERE sequence = 1)")
        #expect(try world.ledger().checkInvariants()?.contains("does not have the hash") == true)
    }
}
