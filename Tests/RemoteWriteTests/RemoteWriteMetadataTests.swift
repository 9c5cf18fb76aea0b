import MetricModel
import TestSupport
import Testing

@testable import RemoteWrite

@Suite struct RemoteWriteMetadataTests {
    /// `prometheus.WriteRequest` with metadata alone.
    private func request(_ families: some Sequence<String>, help: String = "h") throws -> WriteRequest {
        try WriteRequest(
            ProtobufMessage.make { message in
                for family in families {
                    message.message(3) {
                        $0.number(1, 2)
                        $0.text(2, family)
                        $0.text(4, help)
                        $0.text(5, "u")
                    }
                }
            })
    }

    @Test func bothVersionsAreTaken() throws {
        var metadata = RemoteWriteMetadata()
        #expect(metadata.take(try request(["b", "a"]), now: Timestamp(milliseconds: 0)) == 0)
        let families = metadata.families.sorted { $0.family < $1.family }
        #expect(families.map(\.family) == ["a", "b"])
        #expect(families.allSatisfy { $0.type == "gauge" && $0.help == "h" && $0.unit == "u" })
    }

    @Test func familiesAreBoundedAndSilentOnesMakeRoom() throws {
        var metadata = RemoteWriteMetadata()
        let limit = RemoteWriteMetadata.mostFamilies
        let (begin, hour) = (Timestamp(milliseconds: 5_000_000), Milliseconds.hours(1))
        let first = (0..<limit).map { "m\($0)" }
        #expect(metadata.take(try request(first), now: begin) == 0)
        #expect(metadata.take(try request(["m1", "x", "y"]), now: begin + .minutes(2)) == 2)
        #expect(metadata.count == limit)
        // All except the one that was repeated.
        #expect(metadata.take(try request(["x", "y"]), now: begin + hour) == 0)
        #expect(Set(metadata.families.map(\.family)) == ["m1", "x", "y"])
    }

    @Test func longTextsAreCutBetweenCharacters() throws {
        var metadata = RemoteWriteMetadata()
        let limit = RemoteWriteMetadata.longestText
        for shift in 0..<4 {
            let help = String(repeating: "x", count: shift) + String(repeating: "🦀", count: limit / 4)
            #expect(metadata.take(try request(["m"], help: help), now: Timestamp(milliseconds: 0)) == 0)
            let kept = try #require(metadata.families.first?.help)
            #expect(help.hasPrefix(kept))
            #expect(kept.utf8.count == (shift == 0 ? limit : limit - 4 + shift))
        }
        let name = String(repeating: "n", count: limit + 1)
        #expect(metadata.take(try request([name]), now: Timestamp(milliseconds: 0)) == 1)
        #expect(metadata.count == 1)
    }
}
