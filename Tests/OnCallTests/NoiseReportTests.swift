import MetricModel
import Testing

@testable import OnCall

@Suite struct NoiseReportTests {
    @Test func `pages are counted by alert, with what came of them`() {
        func happening(_ page: String, _ state: String, _ minute: Int64, _ subject: String = "Disk")
            -> NoiseReport.Happening
        {
            .init(page: page, state: state, at: Timestamp(milliseconds: minute * 60_000), subject: subject)
        }
        let happenings = [
            happening("a", "resolved", 60), happening("a", "opened", 0), happening("a", "called", 0),
            happening("a", "acknowledged", 7), happening("a", "noted", 9),
            happening("b", "opened", 10), happening("b", "called", 10), happening("b", "called", 15),
            happening("b", "resolved", 15), happening("c", "opened", 20), happening("c", "snoozed", 21),
            happening("d", "opened", 30, "Load"), happening("d", "held", 30, "Load"),
            happening("d", "flapping", 30, "Load"), happening("old", "resolved", 31, "Load"),
        ]
        let report = NoiseReport(happenings, over: .hours(24 * 14), answeredWithin: .minutes(1))
        var disk = NoiseReport.Row(subject: "Disk")
        (disk.pages, disk.calls, disk.answered, disk.endedUnanswered, disk.short) = (3, 3, 2, 1, 1)
        (disk.medianAnswer, disk.perWeek, disk.answeredInTime) = (.minutes(7), 1.5, 1)
        var load = NoiseReport.Row(subject: "Load")
        (load.pages, load.perWeek, load.held, load.flapping) = (1, 0.5, 1, 1)
        #expect(report.rows == [disk, load])
        let later = NoiseReport(happenings, over: .hours(24 * 7), answeredWithin: .minutes(7)).rows.first
        #expect(later?.answeredInTime == 2 && later?.perWeek == 3)
        #expect(NoiseReport([], over: .zero, answeredWithin: .zero).rows.isEmpty)
    }
}
