import Runtime
import Testing

@Suite struct PulseTests {
    @Test func `a question waits for its answer, and only one is sent`() {
        let pulse = Pulse("a")
        #expect(pulse.isAnswered)
        #expect(pulse.ask() && !pulse.isAnswered && !pulse.ask())
        pulse.answer()
        #expect(pulse.isAnswered && pulse.ask())
    }

    @Test func `work that may take time counts as turning over until its time is over`() {
        let pulse = Pulse("a")
        _ = pulse.ask()
        #expect(pulse.allow(60_000) { pulse.isAnswered })
        #expect(!pulse.isAnswered)
        #expect(!pulse.allow(0) { pulse.isAnswered })
        #expect(pulse.allow(.max) { pulse.isAnswered })
    }
}
