import MetricModel
import Testing

@testable import PromQL

@Suite struct EvaluationPartsTests {
    @Test(
        arguments: [
            ("", 0xef46_db37_51d8_e999), ("a", 0xd24e_c4f1_a98c_6e5b), ("abc", 0x44bc_2cf5_ad77_0999),
            ("message digest", 0x066e_d728_fcee_b3be), ("abcdefghijklmnopqrstuvwxyz", 0xcfe1_f278_fa89_835c),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0xaaa4_6907_d304_7814),
        ] as [(String, UInt64)])
    func xxHashGivesTheReferenceValues(text: String, expected: UInt64) {
        #expect(XXHash64.hash(Array(text.utf8)) == expected)
    }

    @Test func makingALargeBlockStopsWhenTheQueryIsCancelled() throws {
        let cancellation = QueryCancellation()
        let run = Run(
            source: MemorySource(), options: EngineOptions(), start: 0, end: 0, step: 0, cancellation: cancellation)
        let set = SeriesSet([.empty, .empty])
        let whole = try Block(set, width: 300_000, run)
        #expect(whole.values.count == 600_000)
        #expect(whole.kinds == [UInt8](repeating: Block.Kind.none, count: 600_000))
        cancellation.cancel()
        #expect(throws: QueryError.cancelled) { try Block(set, width: 300_000, run) }
    }

    @Test(arguments: [(0, 0, 1, false), (0, 4, 5, true), (0, 5, 5, true)] as [(Int64, Int64, Int64, Bool)])
    func sortWarnsWhereARangeIsAskedForEvenIfItHasOneStep(
        start: Int64, end: Int64, step: Int64, warns: Bool
    ) throws {
        let expression = try Expression.parse("sort(vector(time()))", features: .standard)
        let result = try QueryEngine().range(
            expression, start: Timestamp(milliseconds: start), end: Timestamp(milliseconds: end),
            step: .milliseconds(step), from: MemorySource())
        #expect(result.annotations.warnings(in: "sort(vector(time()))").isEmpty == !warns)
    }

    @Test func naturalOrderCountsInRunsOfDigits() {
        let names = ["a10", "a2", "b1", "a02b", "", "a", "10", "9"]
        #expect(
            names.sorted { NaturalOrder.compare($0, $1) < 0 } == ["", "9", "10", "a", "a2", "a02b", "a10", "b1"])
    }

    @Test(
        arguments: [
            (0, 1970, 1, 1, 4, 1, 31), (951_782_400, 2000, 2, 29, 2, 60, 29), (-1, 1969, 12, 31, 3, 365, 31),
            (4_107_542_400, 2100, 3, 1, 1, 60, 31), (-2_208_988_800, 1900, 1, 1, 1, 1, 31),
        ] as [(Double, Double, Double, Double, Double, Double, Double)])
    func datesFollowTheGregorianCalendar(
        seconds: Double, year: Double, month: Double, day: Double, weekday: Double, yearDay: Double, length: Double
    ) {
        #expect(CalendarPart.year.value(at: seconds) == year)
        #expect(CalendarPart.month.value(at: seconds) == month)
        #expect(CalendarPart.dayOfMonth.value(at: seconds) == day)
        #expect(CalendarPart.dayOfWeek.value(at: seconds) == weekday)
        #expect(CalendarPart.dayOfYear.value(at: seconds) == yearDay)
        #expect(CalendarPart.daysInMonth.value(at: seconds) == length)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300, -9.3e18])
    func datesOfImpossibleTimesDoNoHarm(seconds: Double) {
        for part in [CalendarPart.minute, .hour, .month, .year, .dayOfMonth, .dayOfWeek, .dayOfYear, .daysInMonth] {
            _ = part.value(at: seconds)
        }
    }

    @Test func quantilesLieBetweenNeighbours() {
        #expect(Quantile.of([3, 1, 2], 0.25) == 1.5)
        #expect(Quantile.of([.nan, 1], 0).isNaN)
        #expect(Quantile.of([1], -0.1) == -.infinity)
        #expect(Quantile.of([1], 1.1) == .infinity)
        #expect(Quantile.of([], 0.5).isNaN)
    }

    @Test func fallingBucketCountsAreRaised() {
        let histogram = ClassicHistogram(ascending: [
            .init(upper: 1, count: 10), .init(upper: 2, count: 5), .init(upper: 4, count: 20),
            .init(upper: .infinity, count: 20),
        ])
        let (value, correction) = histogram.quantile(0.75)
        #expect(value == 3)
        #expect(correction?.lowest == 2 && correction?.highest == 2 && correction?.greatest == 5)
    }

    @Test func remarksOfOneTextBecomeOneWithTheLastPosition() {
        var annotations = Annotations()
        annotations.insert(.warning, "w", at: SourceRange(0, 1))
        annotations.insert(.warning, "w", at: SourceRange(4, 5))
        annotations.insert(.info, "w", at: SourceRange(2, 3))
        #expect(annotations.warnings(in: "a\nbcde") == ["PromQL warning: w (2:3)"])
        #expect(annotations.infos(in: "a\nbcde") == ["PromQL info: w (2:1)"])
    }
}
