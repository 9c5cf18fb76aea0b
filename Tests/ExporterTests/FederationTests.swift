import CurlHTTP
import MetricModel
import Runtime
import Testing

@testable import Exporter

@Suite struct FederationTests {
    private func fixture(external: Labels = .empty) throws -> (ExporterFixture, now: Int64) {
        let fixture = try ExporterFixture(sources: { $0.externalLabels = { external } })
        let now = SystemClock.wallMilliseconds()
        try fixture.append(["__name__": "b", "job": "x", "instance": "i"], from: now - 30_000, [1, 2])
        try fixture.append(["__name__": "a", "job": "x"], from: now - 30_000, [7])
        try fixture.append(["__name__": "a", "job": "ended"], from: now - 30_000, [7, .staleMarker])
        try fixture.append(["__name__": "a", "job": "old"], from: now - 600_000, [7])
        return (fixture, now)
    }

    @Test func latestSamplesAreSortedAndStamped() throws {
        let (fixture, now) = try fixture()
        #expect(
            try fixture.text("/federate?match[]=a&match[]={job=%22x%22}") == """
                # TYPE a untyped
                a{instance="",job="x"} 7 \(now - 30_000)
                # TYPE b untyped
                b{instance="i",job="x"} 2 \(now - 15_000)

                """)
    }

    @Test func externalLabelsAreAddedWhereTheyAreMissing() throws {
        let (fixture, now) = try fixture(external: ["job": "mine", "region": "eu", "instance": "me"])
        #expect(
            try fixture.text("/federate?match[]=a") == """
                # TYPE a untyped
                a{instance="me",job="x",region="eu"} 7 \(now - 30_000)

                """)
    }

    @Test func wrongSelectorsAreToldAndNoneGivesNothing() throws {
        let (fixture, _) = try fixture()
        let wrong = try fixture.send("/federate?match[]=a{")
        #expect(wrong.status == 400)
        #expect(wrong["Content-Type"]?.hasPrefix("text/plain") == true)
        let none = try fixture.send("/federate")
        #expect(none.status == 200)
        #expect(none.body.isEmpty)
    }
}
