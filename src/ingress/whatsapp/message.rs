//! One message of a delivery.

use serde_json::{Map, Value, json};

use super::super::adapter::{Answer, Context, Inbound, Respond, dedupe_key};
use super::super::envelope::{Entities, IngressEnvelope, Metadata, ProviderIds, Session, urls_in};
use super::super::json;
use super::content::Content;
use super::sender::Sender;
use super::{Address, Numbers, PROVIDER, REMEMBER};
use crate::run::event::ReplyTo;
use crate::session::{SessionKey, reply_route};

/// A message where it stands in a delivery.
pub(super) struct Placed<'a> {
    /// The business account.
    pub(super) account: Option<String>,
    /// What stands beside the message.
    pub(super) value: &'a Value,
    pub(super) message: &'a Value,
    /// Whether it is the only message of its list.
    pub(super) alone: bool,
}

impl Placed<'_> {
    /// The message for a flow, or why there is none. `raw` is set by the caller.
    pub(super) fn normalize(
        &self,
        numbers: &Numbers,
        context: &Context,
        metadata: &Metadata,
    ) -> Result<Inbound, &'static str> {
        let number = json::id(self.value, &["metadata", "phone_number_id"]);
        if !numbers.only.is_empty() && !number.as_ref().is_some_and(|number| numbers.only.contains(number)) {
            return Err("a message to a number that the tenant does not answer for");
        }
        let Some(id) = json::id(self.message, &["id"]) else { return Err("a message without an id") };
        let contacts = json::list(self.value, &["contacts"]);
        let Some(sender) = Sender::of(self.message, contacts, self.alone) else {
            return Err("a message that does not tell its sender");
        };
        if self.is_own(&sender) {
            return Err("the tenant's own message");
        }
        let content = Content::of(self.message)?;
        let group = json::id(self.message, &["group_id"]);
        if group.is_none() && json::text(self.message, &["group_id"]).is_some() {
            return Err("a message to a group that has no usable id");
        }
        let number = number.unwrap_or_default();
        let session = match &group {
            None => SessionKey::canonical(&context.tenant, PROVIDER, &number, sender.lasting()),
            Some(group) => SessionKey::of([&*context.tenant, PROVIDER, &number, group, sender.lasting()]),
        };
        let ids = self.ids(&number, group.as_deref(), &sender, &id);
        let key = ids.session_key(&context.tenant, PROVIDER).map(|key| key.shown().to_string()).unwrap_or_default();
        let dedupe = vec![dedupe_key([&*number, &id])];
        let address =
            Address { phone_number_id: number, to: sender.number.clone(), recipient: sender.user_id.clone(), group };
        let envelope = IngressEnvelope {
            tenant: context.tenant.to_string(),
            provider: PROVIDER.into(),
            provider_ids: ids,
            session: Session { key, scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into() },
            timestamp: self.sent().unwrap_or_else(|| context.received()),
            locale: None,
            entities: Entities { mentions: Vec::new(), urls: content.text.as_deref().map(urls_in).unwrap_or_default() },
            channel_data: self.channel_data(&content, &sender),
            text: content.text,
            attachments: content.attachment.into_iter().collect(),
            buttons: content.button.into_iter().collect(),
            metadata: metadata.clone(),
            raw: Value::Null,
        };
        Ok(Inbound {
            envelope,
            session,
            flow: numbers.flow.clone(),
            dedupe,
            remember: REMEMBER,
            reply_to: ReplyTo::Route(reply_route(&context.tenant, PROVIDER, &address.to_text())),
            respond: Respond::Ack(Answer::empty(200)),
        })
    }

    fn is_own(&self, sender: &Sender<'_>) -> bool {
        let Some(number) = sender.number.as_deref() else { return false };
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let display = json::text(self.value, &["metadata", "display_phone_number"]).map(digits);
        let own = json::text(self.value, &["metadata", "phone_number_id"]) == Some(number);
        own || display.is_some_and(|display| !display.is_empty() && display == digits(number))
    }

    fn ids(&self, number: &str, group: Option<&str>, sender: &Sender<'_>, id: &str) -> ProviderIds {
        ProviderIds {
            workspace_id: self.account.clone(),
            channel_id: Some(number.to_owned()).filter(|number| !number.is_empty()),
            conversation_id: Some(group.unwrap_or(sender.shown()).to_owned()),
            user_id: Some(sender.shown().to_owned()),
            message_id: Some(id.to_owned()),
            ..ProviderIds::default()
        }
    }

    fn sent(&self) -> Option<jiff::Timestamp> {
        let stated = json::at(self.message, &["timestamp"])?;
        let seconds = stated.as_i64().or_else(|| stated.as_str()?.parse().ok())?;
        jiff::Timestamp::from_second(seconds).ok()
    }

    fn channel_data(&self, content: &Content, sender: &Sender<'_>) -> Value {
        let mut data = Map::new();
        json::copy(self.message, &["type", "context", "referral", "group_id"], &mut data);
        content.told.into_iter().for_each(|name| json::copy(self.message, &[name], &mut data));
        json::copy(
            self.value.get("metadata").unwrap_or(json::NULL),
            &["phone_number_id", "display_phone_number"],
            &mut data,
        );
        if let Some(user_id) = &sender.user_id {
            data.insert("user_id".into(), user_id.as_str().into());
        }
        let profile = sender.contact.and_then(|contact| json::at(contact, &["profile"]));
        for (name, field) in [("profile_name", "name"), ("username", "username")] {
            let text = profile.and_then(|profile| json::text(profile, &[field]));
            text.and_then(|text| data.insert(name.into(), text.into()));
        }
        Value::Object(data)
    }

    /// A delivery with this message alone, as Meta would have sent it. What stands beside the message is told only as far
    /// as it is short, so that many messages do not multiply it.
    pub(super) fn narrowed(&self, body: &Value, field: &Value) -> Value {
        const SHORT: usize = 4096;
        let short = |value: &&Value| value.to_string().len() <= SHORT;
        let mut value = Map::new();
        for name in ["messaging_product", "metadata"] {
            let found = json::at(self.value, &[name]).filter(short);
            found.and_then(|found| value.insert(name.into(), found.clone()));
        }
        let contacts = json::list(self.value, &["contacts"]);
        let contact = Sender::of(self.message, contacts, self.alone).and_then(|sender| sender.contact).filter(short);
        contact.and_then(|contact| value.insert("contacts".into(), json!([contact])));
        value.insert("messages".into(), json!([self.message]));
        let object = json::at(body, &["object"]).filter(short);
        json!({"object": object, "entry": [{"id": self.account, "changes": [{"value": value, "field": field}]}]})
    }
}
