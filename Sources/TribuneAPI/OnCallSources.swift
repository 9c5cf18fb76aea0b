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
    /// Carries out an order about a schedule. Blocks until it is journalled.
    public var plan: @Sendable (ScheduleOrder) throws(OnCallRefusal) -> ScheduleOutcome = {
        _ throws(OnCallRefusal) in throw .notLeading
    }
    /// Opens the text of a signed link.
    public var link: @Sendable (String) throws(PageLinks.Refusal) -> PageLinks.Link = {
        _ throws(PageLinks.Refusal) in throw .forged
    }

    /// Checks that Slack sends a request.
    public var checkSlack:
        @Sendable (_ body: [UInt8], _ timestamp: String, _ signature: String) throws(ChatRefusal) -> Void = {
            (_, _, _) throws(ChatRefusal) in throw .unconfigured
        }
    /// The order of a button of a chat message that was pressed.
    public var chatOrder:
        @Sendable (ChatAction, ChatAction.Service, _ peer: String?) throws(ChatRefusal) -> OnCallRunner.ChatOrder = {
            (_, _, _) throws(ChatRefusal) in throw .unconfigured
        }
    /// The text that opens the calendar of a person.
    public var calendarToken: @Sendable (_ person: String) -> String = { _ in "" }
    /// The person whose calendar a text opens.
    public var calendarPerson: @Sendable (_ token: String) -> String? = { _ in nil }

    /// The key with which browsers subscribe to messages; `nil` where none are sent.
    public var pushKey: @Sendable () -> String? = { nil }
    /// Adds or removes a browser. Blocks until it is journalled.
    public var orderBrowser: @Sendable (BrowserOrder) throws(OnCallRefusal) -> BrowserOutcome = {
        _ throws(OnCallRefusal) in throw .notLeading
    }

    /// Sources without pages.
    public init() {}
}
