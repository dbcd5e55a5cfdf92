//! Functions that SQL has beside those of DataFusion.
//!
//! | function | answers |
//! |---|---|
//! | `hex(bytes)` | lowercase hexadecimal digits, of a trace or span identifier |
//! | `resource_attribute(json, key)` | text of one attribute in the `resource` or `scope` of a row, null when it has none |
//! | `label(labels, name)` | text of one label of a metric, null when it has none |

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// All functions.
pub(crate) fn all() -> Vec<ScalarUDF> {
    vec![
        ScalarUDF::from(Hex { signature: Signature::any(1, Volatility::Immutable) }),
        ScalarUDF::from(JsonText { name: "resource_attribute", signature: Signature::any(2, Volatility::Immutable) }),
        ScalarUDF::from(JsonText { name: "label", signature: Signature::any(2, Volatility::Immutable) }),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Hex {
    signature: Signature,
}

impl ScalarUDFImpl for Hex {
    fn name(&self) -> &str {
        "hex"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::FixedSizeBinary(_) | DataType::Binary] => Ok(DataType::Utf8),
            other => exec_err!("cannot call hex with {other:?}: want bytes"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let bytes = cast(&arrays[0], &DataType::Binary)?;
        let mut digits = StringBuilder::new();
        for value in bytes.as_binary::<i32>() {
            digits.append_option(value.map(hex_digits));
        }
        Ok(ColumnarValue::Array(Arc::new(digits.finish())))
    }
}

/// Lowercase hexadecimal digits.
fn hex_digits(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing into a text cannot fail");
        digits
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonText {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for JsonText {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json, key] = arguments.args.as_slice() else { return exec_err!("{} wants two arguments", self.name) };
        let ColumnarValue::Scalar(key) = key else { return exec_err!("cannot call {}: want a literal as key", self.name) };
        let key = key.try_as_str().flatten().unwrap_or("").to_owned();
        let json = json.to_array(arguments.number_rows)?;
        let DataType::Dictionary(_, _) = json.data_type() else {
            return Ok(ColumnarValue::Array(texts(&json, &key)?));
        };
        // Once per distinct value, not once per row.
        let json = cast(&json, &signalbox_model::schema::dictionary())?;
        let dictionary = json.as_dictionary::<UInt32Type>();
        let found = texts(dictionary.values(), &key)?;
        Ok(ColumnarValue::Array(take(&found, dictionary.keys(), None)?))
    }
}

fn texts(json: &ArrayRef, key: &str) -> Result<ArrayRef> {
    let json = cast(json, &DataType::Utf8)?;
    let texts: StringArray = json.as_string::<i32>().iter().map(|json| json.and_then(|json| text_of(json, key))).collect();
    Ok(Arc::new(texts))
}

fn text_of(json: &str, key: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    object.get(key).map(|value| signalbox_model::attributes::AttributeValue::from_json(value).to_text())
}
