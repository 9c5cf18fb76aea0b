import MetricModel
import Testing

@testable import History

@Suite struct RecordingScheduleTests {
    private func due(_ schedule: inout RecordingSchedule, at seconds: Double) -> [String] {
        schedule.due(at: Timestamp(milliseconds: Int64(seconds * 1000))).map {
            "\($0.selector)@\($0.at.milliseconds / 1000)"
        }
    }

    @Test func `values are taken at multiples of the interval`() {
        var schedule = RecordingSchedule(
            [
                SeriesRecording(selector: "a", interval: .seconds(30)),
                SeriesRecording(selector: "b", interval: .seconds(10)),
            ], now: Timestamp(milliseconds: 61_000))
        #expect(schedule.next == Timestamp(milliseconds: 70_000))
        #expect(due(&schedule, at: 69.9) == [])
        #expect(due(&schedule, at: 70) == ["b@70"])
        #expect(due(&schedule, at: 70.5) == [])
        #expect(due(&schedule, at: 90.001) == ["a@90", "b@90"])
        #expect(schedule.next == Timestamp(milliseconds: 100_000))
    }

    @Test func `missed times are not made up for, and a clock that was set back repeats nothing`() {
        var schedule = RecordingSchedule(
            [SeriesRecording(selector: "a", interval: .seconds(10))], now: Timestamp(milliseconds: 0))
        #expect(due(&schedule, at: 45) == ["a@40"])
        #expect(due(&schedule, at: 31) == [])
        #expect(due(&schedule, at: 50) == ["a@50"])
        #expect(RecordingSchedule([], now: Timestamp(milliseconds: 0)).next == nil)
    }
}
