import JSON
import MetricModel
import Testing

@testable import DeploymentGates
@testable import Rollback
@testable import RolloutRunner

/// How raw samples become counts.
@Suite struct GateDataTests {
    private let window = TimeSlices(from: Timestamp(milliseconds: 0), through: Timestamp(milliseconds: 100), count: 2)

    private func series(_ labels: Labels, _ samples: [(Int64, Double)]) -> SeriesSamples {
        SeriesSamples(labels: labels, timestamps: samples.map(\.0), values: samples.map(\.1))
    }

    @Test("increases are exact, through restarts, and belong to the slice of the later sample")
    func increments() {
        let counter = series(["__name__": "c"], [(-20, 5), (-10, 7), (10, 10), (50, 11), (60, 3), (100, 4), (110, 99)])
        #expect(CounterIncrements.increments(of: counter, in: window, isNewborn: false) == [4, 4])
    }

    @Test("the first error of a kind counts if the target was scraped before, and not if the target is new")
    func newborn() throws {
        let requests = series(["instance": "a", "job": "j"], [(-10, 100), (20, 110), (90, 120)])
        let errors = series(["instance": "a", "job": "j", "status": "500"], [(90, 3)])
        let other = series(["instance": "b", "job": "j"], [(30, 1000), (90, 1010)])
        let births = TargetBirths([requests, errors, other])
        #expect(CounterIncrements.sum(of: [errors], in: window, births: births) == [0, 3])
        #expect(CounterIncrements.sum(of: [other], in: window, births: births) == [0, 10])
        #expect(CounterIncrements.sum(of: [], in: window, births: births) == nil)
    }

    @Test("buckets of different layouts are compared at their common bounds")
    func buckets() throws {
        func histogram(_ instance: String, _ cumulative: [(String, Double)]) -> [SeriesSamples] {
            cumulative.map { bound, count in
                series(Labels([Label("instance", instance), Label("le", bound)]), [(-10, 0), (40, count)])
            }
        }
        let fine = histogram("a", [("0.1", 2), ("0.5", 5), ("1", 9), ("+Inf", 10)])
        let coarse = histogram("b", [("0.1", 1), ("1", 4), ("+Inf", 4)])
        let read = try #require(
            BucketIncrements(classic: fine + coarse, in: window, births: TargetBirths(fine + coarse)))
        #expect(read.bounds == [0.1, 1, .infinity])
        #expect(read.slices == [[3, 10, 1], [0, 0, 0]])
        let alone = try #require(BucketIncrements(classic: fine, in: window, births: TargetBirths(fine)))
        #expect(alone.merged(to: [0.5, .infinity]).slices[0] == [5, 5])
    }

    @Test("native histograms of different resolutions are merged")
    func native() throws {
        func histogram(_ schema: Int32, _ counts: [Double]) -> FloatHistogram {
            var histogram = FloatHistogram()
            histogram.schema = schema
            histogram.zeroThreshold = 0.001
            histogram.positiveSpans = [.init(offset: 0, length: UInt32(counts.count))]
            histogram.positiveBuckets = counts
            histogram.count = counts.reduce(0, +)
            return histogram
        }
        let one = SeriesSamples(
            labels: ["instance": "a"], timestamps: [-10, 40, 90], values: [0, 0, 0],
            histograms: [histogram(0, [1, 1]), histogram(0, [3, 1]), histogram(0, [3, 6])])
        let finer = SeriesSamples(
            labels: ["instance": "b"], timestamps: [-10, 40], values: [0, 0],
            histograms: [histogram(1, [1, 1, 1]), histogram(1, [1, 2, 5])])
        let read = try #require(
            BucketIncrements(native: [one, finer], in: window, births: TargetBirths([one, finer])))
        // Schema 0 has buckets up to 1, 2, 4; schema 1 has two of each.
        #expect(read.slices.map { $0.reduce(0, +) } == [7, 5])
        #expect(read.bounds.last == .infinity && read.bounds.contains(1) && read.bounds.contains(2))
    }

    @Test("slices have two scrapes each, at most twenty")
    func slicing() {
        let window = TimeSlices(from: Timestamp(milliseconds: 0), through: Timestamp(milliseconds: 600_000))
        func scrapes(_ count: Int64) -> SeriesSamples {
            series([:], (1...count).map { ($0 * 600_000 / count, 1) })
        }
        #expect(window.sliced(for: [scrapes(40)]).count == 20)
        #expect(window.sliced(for: [scrapes(9)]).count == 4)
        #expect(window.sliced(for: [scrapes(1000)]).count == 20)
        #expect(window.sliced(for: []).count == 1)
        #expect(window.sliced(for: [scrapes(40)]).index(of: 600_000) == 19)
        #expect(window.index(of: 0) == nil)
    }

    @Test(
        "requests are read strictly, and errors name the field",
        arguments: [
            (#"{"servce": "a"}"#, "servce: unknown field"),
            (#"{"service": 5}"#, "service: expected text"),
            (#"{"service": "a", "service": "b"}"#, "service: appears twice"),
            (#"{"window": "5"}"#, "window: not a duration, such as 30s or 5m"),
            (#"{"window": "1y"}"#, "window: must be between 1s and 1w"),
            (#"{"significance": 0.9}"#, "significance: must be between 1e-06 and 0.2"),
            (#"{"end": 99999999999}"#, "end: is in the future"),
            (#"{"end": "yesterday"}"#, "end: expected seconds since the epoch or an RFC 3339 date"),
            (#"{"profile": "x"}"#, "profile: unknown profile, expected one of acgs"),
            (#"{"stable": {"a": 1}}"#, "stable.a: expected text"),
            (#"{"stable": {"env": "green"}}"#, "candidate: has the same labels as the stable version"),
            (#"{"metrics": {}}"#, "metrics: expected a list"),
            (
                #"{"metrics": [{"name": "e", "events": "x"}]}"#,
                "metrics[0]: expected events and of, or histogram, or samples"
            ),
            (
                #"{"metrics": [{"name": "e", "samples": "x", "better": "up"}]}"#,
                "metrics[0].better: expected one of lower, higher"
            ),
            (
                #"{"metrics": [{"name": "e", "samples": "x", "minimum": {"relativ": 1}}]}"#,
                "metrics[0].minimum.relativ: unknown field"
            ),
            (
                #"{"metrics": [{"name": "e", "samples": "x"}, {"name": "e", "samples": "y"}]}"#,
                "metrics[1].name: \"e\" appears twice"
            ),
        ])
    func strictness(body: String, message: String) throws {
        #expect {
            _ = try AnalysisRequest(
                JSON(parsing: body), isDeployment: true, profiles: [.acgs],
                now: Timestamp(milliseconds: 1_800_000_000_000))
        } throws: { "\($0)" == message }
    }

    @Test("before and after are windows next to the change, of the same series")
    func change() throws {
        let now = Timestamp(milliseconds: 10_000_000)
        let request = try AnalysisRequest(
            JSON(parsing: #"{"service": "auth", "change_time": 9000, "window": "5m", "settle": "1m"}"#),
            isDeployment: false, profiles: [.acgs], now: now)
        let arms = request.arms
        #expect(arms.stable.labels == ["service": "auth"] && arms.candidate.labels == ["service": "auth"])
        #expect(
            arms.stable.window.from.milliseconds == 8_700_000 && arms.stable.window.through.milliseconds == 9_000_000)
        #expect(
            arms.candidate.window.from.milliseconds == 9_060_000
                && arms.candidate.window.through.milliseconds == 9_360_000)
        for (body, message) in [
            (#"{}"#, "change_time: is required"),
            (#"{"change_time": 9900}"#, "window: the window after the change ends in the future"),
            (
                #"{"change_time": 1, "stable": {}}"#,
                "stable: not allowed, because before and after have the same labels; use match"
            ),
        ] {
            #expect {
                _ = try AnalysisRequest(JSON(parsing: body), isDeployment: false, profiles: [.acgs], now: now)
            } throws: { "\($0)" == message }
        }
    }
}
