import CurlHTTP
import MetricModel
import Runtime
import Testing
import WebFixture

@testable import Exporter

@Suite struct FederationTests {
    private func fixture(external: Labels = .empty) throws -> (WebFixture, now: Int64) {
        let fixture = try WebFixture(sources: { $0.exporter.externalLabels = { external } })
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

    @Test(arguments: [
        (nil, #"http_requests{http_code="200",instance="",ab___d="x"} 7"#, "underscores"),
        (
            "text/plain; escaping=underscores", #"http_requests{http_code="200",instance="",ab___d="x"} 7"#,
            "underscores"
        ),
        (
            "text/plain;version=0.0.4;escaping=dots",
            #"http_dot_requests{ab______d="x",http_dot_code="200",instance=""} 7"#, "dots"
        ),
        (
            "text/plain; escaping=values",
            #"U__http_2e_requests{U__ab___2d__e9_d="x",U__http_2e_code="200",instance=""} 7"#, "values"
        ),
        (
            "text/plain; escaping=allow-utf-8", #"{"http.requests","ab_-éd"="x","http.code"="200",instance=""} 7"#,
            "allow-utf-8"
        ),
        ("text/plain; escaping=nonsense", #"http_requests{http_code="200",instance="",ab___d="x"} 7"#, "underscores"),
    ])
    func utf8NamesAreEscapedAsTheReaderAsks(accept: String?, line: String, scheme: String) throws {
        let fixture = try WebFixture()
        let now = SystemClock.wallMilliseconds()
        try fixture.append(["__name__": "http.requests", "http.code": "200", "ab_-éd": "x"], from: now - 1000, [7])
        let response = try fixture.send(
            "/federate?match[]={__name__=%22http.requests%22}", headers: accept.map { [("Accept", $0)] } ?? [])
        #expect(response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8; escaping=\(scheme)")
        let text = String(decoding: response.body, as: UTF8.self)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        // Labels stay in the order of their real names.
        let labels: (String) -> [Substring] = { $0.split { "{}, ".contains($0) }.sorted() }
        #expect(labels(lines[1]) == labels(line + " \(now - 1000)"))
    }
}
