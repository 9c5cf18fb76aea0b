package import JSON

extension TrafficSplit {
    package var json: JSON {
        var members: [JSON.Member] = [
            .init("stable", .integer(Int64(stable))), .init("candidate", .integer(Int64(candidate))),
        ]
        if isForTesters { members.append(.init("testers", .bool(true))) }
        return .object(members)
    }

    /// The candidate's part in one value: its percentage, or `"testers"`. Versions that do not know the text take a
    /// record with it for one that they cannot read.
    var weight: JSON { isForTesters ? .string(stageName) : .integer(Int64(candidate)) }

    /// Reads ``weight``.
    init?(weight: JSON) {
        if weight.text == Self.testersOnly.stageName {
            self = .testersOnly
        } else {
            guard let percent = weight.integer.flatMap(Int.init(exactly:)) else { return nil }
            self.init(candidate: percent)
        }
    }
}
