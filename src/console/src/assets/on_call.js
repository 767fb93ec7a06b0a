// Copies the URL of a calendar feed. Without this script, a person can select the URL by hand.

const button = document.getElementById('copy');
const address = document.getElementById('feed-address');

if (button && address && navigator.clipboard) {
  button.hidden = false;
  address.addEventListener('focus', () => address.select());
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(address.value);
      button.textContent = button.dataset.done;
    } catch {
      address.select();
    }
  });
}
