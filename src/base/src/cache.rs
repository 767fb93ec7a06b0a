//! A cache in memory, limited by the number or the size of its entries.
//!
//! moka's cache is generic over its keys and values. The compiler builds the cache again for each pair of key and value
//! types, in each crate that uses the pair. So all our caches share one type of moka cache, with bytes as keys and
//! [`Any`] as values. Only this crate compiles the shared type.

use std::any::Any;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use moka::future::CacheBuilder;

type Key = Box<[u8]>;
type Shared = Arc<dyn Any + Send + Sync>;
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Builder = CacheBuilder<Key, Shared, moka::future::Cache<Key, Shared>>;

/// A cache of `V` whose keys are bytes. `E` is the error of loading an entry. A clone shares the entries.
pub struct Cache<V, E = Infallible> {
    entries: Entries,
    of: PhantomData<fn() -> (V, E)>,
}

impl<V, E> Clone for Cache<V, E> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            of: PhantomData,
        }
    }
}

impl<V: Any + Send + Sync, E: Any + Send + Sync> Cache<V, E> {
    /// A cache for at most `most` entries.
    #[must_use]
    pub fn of_entries(most: u64) -> Self {
        Self::built(Builder::default().max_capacity(most))
    }

    /// A cache for at most `most` entries. An entry expires when `lifetime` has passed since it was stored.
    #[must_use]
    pub fn of_entries_for(most: u64, lifetime: Duration) -> Self {
        Self::built(Builder::default().max_capacity(most).time_to_live(lifetime))
    }

    /// A cache for entries of at most `most` bytes in total. `bytes` returns the size of one entry.
    #[must_use]
    pub fn of_bytes(most: u64, bytes: fn(&V) -> usize) -> Self {
        let weigh = move |_: &Key, value: &Shared| {
            let bytes = value.downcast_ref().map_or(0, bytes);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self::built(Builder::default().max_capacity(most).weigher(weigh))
    }

    fn built(builder: Builder) -> Self {
        Self {
            entries: Entries::new(builder),
            of: PhantomData,
        }
    }

    /// The entry. `None` if the entry is not in memory.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Option<Arc<V>> {
        self.entries.get(key.as_ref()).await.map(typed)
    }

    /// Returns the entry. If the entry is not in memory, one task runs `load`, and concurrent tasks wait for the
    /// result.
    ///
    /// # Errors
    /// When `load` fails. In this case, nothing is stored.
    pub async fn get_or_load(
        &self,
        key: impl AsRef<[u8]>,
        load: impl Future<Output = Result<Arc<V>, E>> + Send,
    ) -> Result<Arc<V>, Arc<E>> {
        let load = async move {
            let loaded = load.await;
            loaded
                .map(|value| value as Shared)
                .map_err(|error| Arc::new(error) as Shared)
        };
        let loaded = self.entries.get_or_load(key.as_ref(), Box::pin(load)).await;
        loaded.map(typed).map_err(typed)
    }

    /// Stores an entry, in place of an earlier entry with the same key.
    pub async fn insert(&self, key: impl AsRef<[u8]>, value: Arc<V>) {
        self.entries.insert(key.as_ref(), value).await;
    }

    /// Removes an entry.
    pub async fn remove(&self, key: impl AsRef<[u8]>) {
        self.entries.remove(key.as_ref()).await;
    }

    /// If the cache limits bytes, returns the total size of the entries in bytes. Otherwise returns the number of
    /// entries.
    pub async fn size(&self) -> u64 {
        self.entries.size().await
    }
}

impl<V: Any + Send + Sync + Default> Cache<V> {
    /// Returns the entry. If the entry is not in memory, stores the default value and returns it.
    pub async fn get_or_default(&self, key: impl AsRef<[u8]>) -> Arc<V> {
        let load = async { Ok(Arc::default()) };
        self.get_or_load(key, load)
            .await
            .unwrap_or_else(|never| match *never {})
    }
}

#[expect(clippy::unreachable, reason = "the type of a cache fixes its values and errors")]
fn typed<T: Any + Send + Sync>(shared: Shared) -> Arc<T> {
    shared
        .downcast()
        .unwrap_or_else(|_| unreachable!("a value of another type"))
}

/// The moka cache that all types of [`Cache`] share. The futures of this cache are boxed, because each crate that
/// awaits an unboxed future compiles that future again.
#[derive(Clone)]
struct Entries(moka::future::Cache<Key, Shared>);

impl Entries {
    fn new(builder: Builder) -> Self {
        Self(builder.build())
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> Boxed<'a, Option<Shared>> {
        Box::pin(self.0.get(key))
    }

    fn get_or_load<'a>(
        &'a self,
        key: &[u8],
        load: Boxed<'a, Result<Shared, Shared>>,
    ) -> Boxed<'a, Result<Shared, Shared>> {
        let key = key.into();
        Box::pin(async move {
            self.0
                .try_get_with(key, load)
                .await
                .map_err(|error| Shared::clone(&error))
        })
    }

    fn insert(&self, key: &[u8], value: Shared) -> Boxed<'_, ()> {
        Box::pin(self.0.insert(key.into(), value))
    }

    fn remove<'a>(&'a self, key: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(self.0.invalidate(key))
    }

    fn size(&self) -> Boxed<'_, u64> {
        Box::pin(async {
            self.0.run_pending_tasks().await;
            self.0.weighted_size()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_caller_loads_and_an_error_is_not_stored() {
        let cache: Cache<String, u8> = Cache::of_bytes(10, String::len);
        let failed = cache.get_or_load("a", async { Err(7) }).await;
        assert_eq!(failed.map_err(|error| *error), Err(7));
        assert_eq!(cache.get("a").await, None);
        let load = |text: &str| {
            let value = Arc::new(text.to_owned());
            cache.get_or_load("a", async { Ok(value) })
        };
        let (one, other) = tokio::join!(load("first"), load("second"));
        assert_eq!((one.unwrap().as_str(), other.unwrap().as_str()), ("first", "first"));
        assert_eq!(cache.size().await, 5);
        cache.remove("a").await;
        assert_eq!(cache.size().await, 0);
        let numbers: Cache<u32> = Cache::of_entries(10);
        assert_eq!(*numbers.get_or_default("new").await, 0);
    }
}
