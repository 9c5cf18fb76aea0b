public import OnCall
public import OnCallRunner

/// The source of pages. Provided by the composition root; every closure may be called by several threads at once.
public struct OnCallSources: Sendable {
    /// Every page as it stands.
    public var book: @Sendable () -> PageBook = { PageBook(Roster()) }
    /// The ways in for other programs.
    public var integrations: @Sendable () -> [InboundIntegration] = { [] }
    /// Takes what a source says. Blocks until it is journalled.
    public var receive: @Sendable (Signal) throws(OnCallRefusal) -> Void = { _ throws(OnCallRefusal) in
        throw .notLeading
    }
    /// Carries out an order. Blocks until it is journalled.
    public var order: @Sendable (PageOrder, _ page: String) throws(OnCallRefusal) -> PageOutcome = {
        (_, _) throws(OnCallRefusal) in throw .notLeading
    }
    /// Opens the text of a signed link.
    public var link: @Sendable (String) throws(PageLinks.Refusal) -> PageLinks.Link = {
        _ throws(PageLinks.Refusal) in throw .forged
    }

    /// The text that opens the calendar of a person.
    public var calendarToken: @Sendable (_ person: String) -> String = { _ in "" }
    /// The person whose calendar a text opens.
    public var calendarPerson: @Sendable (_ token: String) -> String? = { _ in nil }

    /// Sources without pages.
    public init() {}
}
