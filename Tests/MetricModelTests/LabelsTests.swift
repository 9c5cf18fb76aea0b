import MetricModel
import TestSupport
import Testing

@Suite struct LabelsTests {
    @Test func labelsAreSortedUniqueAndWithoutEmptyValues() {
        let labels = Labels([Label("b", "2"), Label("a", "1"), Label("b", "3"), Label("c", "")])
        #expect(labels.pairs == [Label("a", "1"), Label("b", "3")])
    }

    /// The last of equal names is used, for few labels and for many.
    @Test func labelsInAnyOrderAreThoseSetOneByOne() {
        let random = SeededGenerator()
        var generator = random
        for count in [0, 1, 2, 5, 10, 32, 33, 60] {
            for _ in 0..<20 {
                let pairs = (0..<count).map { _ in
                    let value = Int.random(in: 0..<4, using: &generator)
                    return Label(
                        "n\(Int.random(in: 0..<max(1, count), using: &generator))", value == 0 ? "" : "\(value)")
                }
                var expected = Labels.empty
                for pair in pairs { expected.set(pair.name, to: pair.value) }
                #expect(Labels(pairs) == expected, "seed \(random.seed)")
            }
        }
    }

    @Test func fingerprintsHaveSixteenDigits() {
        #expect(Labels.empty.fingerprint == "cbf29ce484222325")
        // FNV-1a of the bytes 61 ff 31 ff.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte: UInt64 in [0x61, 0xff, 0x31, 0xff] { hash = (hash ^ byte) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        let labels: Labels = ["a": "1"]
        #expect(labels.fingerprint == String(repeating: "0", count: 16 - digits.count) + digits)
    }

    @Test func settingInsertsReplacesAndRemoves() {
        var labels: Labels = ["a": "1", "c": "3"]
        labels.set("b", to: "2")
        #expect(labels == ["a": "1", "b": "2", "c": "3"])
        labels.set("a", to: "")
        labels.set("missing", to: "")
        #expect(labels == ["b": "2", "c": "3"])
        #expect(labels["b"] == "2")
        #expect(labels["z"] == nil)
    }

    @Test func someLabelsAreKeptOrDropped() {
        let labels: Labels = ["__name__": "m", "a": "1", "b": "2", "c": "3"]
        #expect(labels.keeping(["c", "a", "z"]) == ["a": "1", "c": "3"])
        #expect(labels.keeping(["c", "b", "a", "__name__"]) == labels)
        #expect(labels.keeping([]) == [:])
        #expect(labels.dropping(["c", "__name__", "z"]) == ["a": "1", "b": "2"])
        #expect(labels.dropping(["z"]) == labels)
        #expect(labels.dropping(["a", "b", "c", "__name__"]) == [:])
    }

    @Test func equalityCanLeaveALabelOut() {
        let labels: Labels = ["a": "1", "le": "5", "z": "1"]
        #expect(labels.equal(["a": "1", "z": "1"], without: "le"))
        #expect(!labels.equal(["a": "1", "z": "2"], without: "le"))
        #expect(!labels.equal(["a": "1"], without: "le"))
        #expect(!labels.equal(["a": "1", "y": "1", "z": "1"], without: "le"))
        #expect(!labels.equal(["a": "1", "z": "1", "zz": "1"], without: "le"))
        #expect(labels.equal(labels, without: "other"))
    }

    @Test func canonicallyEquivalentTextIsNotTheSameSeries() {
        let composed: Labels = ["city": "\u{e9}"]
        let decomposed: Labels = ["city": "e\u{301}"]
        #expect(composed["city"] == decomposed["city"])  // Swift's own comparison
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }

    @Test func orderIsBytewiseAndShorterFirst() {
        let sets: [Labels] = [["a": "2"], ["a": "1", "b": "1"], ["a": "1"], [:], ["B": "1"]]
        #expect(sets.sorted() == [[:], ["B": "1"], ["a": "1"], ["a": "1", "b": "1"], ["a": "2"]])
    }

    /// All label sets of up to three of four names.
    @Test func joiningIsSettingUnlessANameIsInBoth() {
        let names = ["", "__name__", "a", "b"]
        let sets = (0..<16).map { bits in
            Labels((0..<4).filter { bits >> $0 & 1 == 1 }.map { Label(names[$0], "\(bits)") })
        }
        for left in sets {
            for right in sets {
                let isDisjoint = left.pairs.allSatisfy { right[$0.name] == nil }
                #expect(left.joined(with: right) == (isDisjoint ? left.setting(right) : nil))
            }
        }
    }

    @Test(
        arguments: [
            (["__name__": "up", "job": "a\"b\\c\nd"], #"up{job="a\"b\\c\nd"}"#),
            (["__name__": "up"], "up"),
            ([:], "{}"),
            (["__name__": "my.metric", "x": "1"], #"{"my.metric", x="1"}"#),
            (["a.b": "1"], #"{"a.b"="1"}"#),
        ] as [(Labels, String)])
    func descriptionIsPrometheusNotation(labels: Labels, text: String) {
        #expect(labels.description == text)
    }
}
